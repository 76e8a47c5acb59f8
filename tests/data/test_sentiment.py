"""SST-2's files, the stand-in, and what a batch of them is."""

import numpy as np
import pytest

from keras_genai.data import sentiment

PARTS = ("train", "dev", "test")


@pytest.fixture
def folder(tmp_path):
    for part in PARTS:
        lines = [f"{part} sentence number {i} , a\tb\t{i % 2}\n" for i in range(6)]
        (tmp_path / f"{part}.tsv").write_text("".join(lines))
    return tmp_path


def test_a_batch_is_framed_padded_and_labelled():
    splits = sentiment.sst2(4, length=16, stand_in=True)
    inputs, labels = next(iter(splits.train.dataset()))
    tokens, mask = inputs["tokens"].numpy(), inputs["tokens_mask"].numpy()
    tokenizer = splits.tokenizer
    assert tokens.shape == mask.shape == (4, 16)
    assert (tokens[:, 0] == tokenizer.start_token).all()
    counts = mask.sum(axis=1)
    assert (tokens[np.arange(4), counts - 1] == tokenizer.end_token).all()
    assert (tokens[mask == 0] == tokenizer.pad_token).all()
    assert set(labels.numpy()) <= {0, 1}
    assert len(splits.held_out["labels"]) == len(splits.test["labels"]) == 8
    for part in (splits.held_out, splits.test):
        assert part["labels"].mean() == 0.5


def test_validation_is_every_sentence_once_in_order():
    splits = sentiment.sst2(3, length=16, stand_in=True)
    labels = np.concatenate([y for _, y in splits.validation.epoch()])
    np.testing.assert_array_equal(labels, splits.held_out["labels"])


def test_sentences_stand_beside_their_tokens():
    splits = sentiment.sst2(3, length=16, stand_in=True)
    train, _, test = sentiment.labelled_sentences(stand_in=True)
    for name, rows in (("train", train), ("test", test)):
        part = splits.texts[name]
        assert [*zip(part["sentences"], part["labels"], strict=True)] == rows


def test_files_are_found_in_the_folder_or_below_it(folder, tmp_path_factory):
    above = tmp_path_factory.mktemp("data")
    folder.rename(above / "sst2")
    for place in (above, above / "sst2"):
        splits = sentiment.sst2(2, data_dir=place, tokenizer="characters", length=32)
        text = splits.tokenizer.decode(splits.test["tokens"][1])
        assert text == "test sentence number 1 , a\tb"[:30]
        np.testing.assert_array_equal(splits.test["labels"], [0, 1, 0, 1, 0, 1])


def test_what_is_not_a_labelled_sentence_is_refused_with_its_line(folder):
    (folder / "dev.tsv").write_text("good\t1\nbad\t2\n")
    with pytest.raises(ValueError, match=r"dev\.tsv, line 2, must be"):
        sentiment.sst2(2, data_dir=folder)
    (folder / "dev.tsv").unlink()
    with pytest.raises(FileNotFoundError, match="`data_dir` says where"):
        sentiment.sst2(2, data_dir=folder)


def test_hidden_tokens_are_guessed_and_padding_is_not():
    splits = sentiment.sst2_masked(24, length=16, stand_in=True)
    inputs, targets, weight = next(iter(splits.train.dataset()))
    mask, tokens = inputs["tokens_mask"].numpy(), inputs["tokens"].numpy()
    places, weight = inputs["places"].numpy(), weight.numpy()
    np.testing.assert_array_equal(mask, tokens != splits.tokenizer.pad_token)
    assert not weight[np.take_along_axis(mask, places, axis=1) == 0].any()
    changed = np.take_along_axis(tokens, places, axis=1) != targets.numpy()
    assert (weight[changed] > 0).all()
    assert changed.mean() > 0.1
    np.testing.assert_allclose(weight.mean(), 1, rtol=1e-5)


def test_both_stages_learn_the_same_vocabulary():
    first = sentiment.sst2(2, stand_in=True).tokenizer
    second = sentiment.sst2_masked(2, stand_in=True).tokenizer
    assert first.to_json() == second.to_json()


def test_token_dropout_hides_training_tokens_only_and_no_special_ones():
    plain = sentiment.sst2(24, stand_in=True)
    splits = sentiment.sst2(24, stand_in=True, token_dropout=0.5)
    (inputs, labels), (whole, expected) = (
        next(iter(source.train.dataset())) for source in (splits, plain)
    )
    np.testing.assert_array_equal(labels, expected)
    tokens, whole = inputs["tokens"].numpy(), whole["tokens"].numpy()
    hidden = tokens == splits.tokenizer.core.token_to_id("[MASK]")
    np.testing.assert_array_equal(tokens[~hidden], whole[~hidden])
    special = [plain.tokenizer.pad_token, plain.tokenizer.start_token]
    assert not hidden[np.isin(whole, special)].any()
    assert 0.4 < hidden[~np.isin(whole, special)].mean() < 0.6
    again = next(iter(splits.train.dataset().skip(1)))[0]["tokens"].numpy()
    assert (again == splits.tokenizer.core.token_to_id("[MASK]")).any()
    for one, other in zip(
        splits.validation.epoch(), plain.validation.epoch(), strict=True
    ):
        np.testing.assert_array_equal(one[0]["tokens"], other[0]["tokens"])


def test_pairs_are_praise_beside_blame_another_one_in_every_epoch():
    splits = sentiment.sst2_pairs(4, length=16, stand_in=True)
    labelled = sentiment.sst2(24, length=16, stand_in=True)
    inputs, labels = next(iter(labelled.train.dataset()))
    sides = [
        {row.tobytes() for row in inputs["tokens"].numpy()[labels.numpy() == label]}
        for label in (1, 0)
    ]
    pairs = []
    for batch in splits.train.dataset().take(2 * splits.train.steps_per_epoch):
        tokens = batch["tokens"].numpy()
        assert tokens.shape == batch["tokens_mask"].shape == (4, 2, 16)
        assert all(good.tobytes() in sides[0] for good, _ in tokens)
        assert all(bad.tobytes() in sides[1] for _, bad in tokens)
        pairs += [pair.tobytes() for pair in tokens]
    assert len({*pairs}) > len(sides[0])
    np.testing.assert_array_equal(splits.test["labels"], labelled.test["labels"])
