import gzip

import numpy as np
import pytest

from keras_genai.data import tokenizers, translation
from keras_genai.data.dates import texts_of_a_year


@pytest.fixture(scope="module")
def dates():
    return translation.dates(batch_size=4, stand_in=True)


@pytest.mark.slow
def test_no_day_is_in_two_parts_and_all_are_written_alike_every_time():
    splits = translation.dates(batch_size=8)
    held_out, test = splits.held_out["targets"], splits.test["targets"]
    trained = {pair[1] for pair in translation._date_pairs(None)[:-2000]}
    assert len(trained) == 71_049
    assert len(held_out) == len(test) == 1000
    assert not trained & {*held_out, *test}
    assert not {*held_out} & {*test}
    again = translation.dates(batch_size=3, seed=5).held_out["inputs"]
    np.testing.assert_array_equal(splits.held_out["inputs"], again)


def test_a_batch_is_what_a_seq2seq_model_is_trained_on(dates):
    tokenizer = dates.tokenizer
    features, labels, weight = next(iter(dates.validation.epoch()))
    inputs, mask = features["inputs"].numpy(), features["inputs_mask"].numpy()
    for row in range(4):
        text = tokenizer.decode(inputs[row][mask[row]])
        assert text == dates.held_out["inputs"][row]
        assert (inputs[row][~mask[row]] == tokenizer.pad_token).all()
        expected = [*tokenizer.encode(str(dates.held_out["targets"][row]))]
        assert labels[row].numpy().tolist() == [*expected, tokenizer.end_token]
        assert features["targets"][row].numpy().tolist() == [
            tokenizer.start_token,
            *expected,
        ]
    assert weight.numpy().all()


def test_batches_have_one_shape_and_follow_the_seed(dates):
    batches = list(dates.train.dataset().take(5))
    assert {tuple(batch[0]["inputs"].shape) for batch in batches} == {(4, 38)}
    assert {tuple(batch[1].shape) for batch in batches} == {(4, 11)}
    same = next(iter(dates.train.dataset(2)))
    np.testing.assert_array_equal(same[1], batches[2][1])


def test_another_tokenizer_pads_to_the_longest_of_a_batch():
    known = tokenizers.bpe(texts_of_a_year(), 400, start_token="<s>", end_token="</s>")
    splits = translation.dates(batch_size=4, tokenizer=known, stand_in=True)
    assert splits.tokenizer is known
    shapes = {batch[0]["inputs"].shape[1] for batch in splits.train.dataset().take(9)}
    assert len(shapes) > 1
    assert max(shapes) < 30


def test_targets_are_cut_and_padded_without_weight():
    tokenizer = tokenizers.characters("abc", "<pad>", "<s>", "</s>")
    collate = translation.pair_batch(tokenizer, max_lengths=(2, 3))
    features, labels, weight = collate([("abc", "a"), ("b", "abcabc")])
    assert features["inputs"].tolist() == [[0, 1], [1, 3]]
    assert features["inputs_mask"].tolist() == [[True, True], [True, False]]
    assert labels.tolist() == [[0, 5, 3], [0, 1, 5]]
    assert features["targets"].tolist() == [[4, 0, 5], [4, 0, 1]]
    assert weight.tolist() == [[1, 1, 0], [1, 1, 1]]


def test_a_tokenizer_without_an_end_is_refused():
    with pytest.raises(ValueError, match="must have a start and an end token"):
        translation.pair_batch(tokenizers.characters("abc"))


def write_multi30k(folder):
    """Made-up text under the names of the data set: `i` German words, one more here."""
    for form, end in (("raw", ".{}.gz"), ("tok", ".lc.norm.tok.{}")):
        (folder / form).mkdir()
        for part, count in (("train", 80), ("val", 9), ("test_2016_flickr", 7)):
            for language, more in (("de", 0), ("en", 1)):
                lines = [
                    " ".join([f"{form}{language}"] * (i % 20 + 1 + more)) + "\n"
                    for i in range(count)
                ]
                content = "".join(lines).encode()
                path = folder / form / f"{part}{end.format(language)}"
                path.write_bytes(gzip.compress(content) if form == "raw" else content)


def batches(splits, count, start=0):
    return [
        (features["inputs"].numpy(), labels.numpy())
        for features, labels, _ in splits.train.dataset(start).take(count)
    ]


def test_multi30k_is_read_in_both_forms(tmp_path):
    write_multi30k(tmp_path)
    for tokenized, form in ((True, "tok"), (False, "raw")):
        splits = translation.multi30k(
            4, data_dir=tmp_path, tokenized=tokenized, tokenizer="bpe:300"
        )
        assert splits.train.plan.count == 80
        assert len(splits.held_out["inputs"]) == 9
        assert splits.test["inputs"][1] == f"{form}de {form}de"
        assert splits.test["targets"][0] == f"{form}en {form}en"
        lines = translation.multi30k_lines("val", ("en", "de"), tokenized, tmp_path)
        assert len(lines) == 9
        assert lines[1] == (f"{form}en {form}en {form}en", f"{form}de {form}de")
    turned = translation.multi30k(4, data_dir=tmp_path, languages=("en", "de"))
    assert turned.test["targets"][1] == "tokde tokde"
    with pytest.raises(FileNotFoundError, match=r"must have tok/train\.lc\.norm"):
        translation.multi30k(4, data_dir=tmp_path, languages=("fr", "en"))


def test_bucketed_batches_are_a_function_of_seed_and_step(tmp_path):
    write_multi30k(tmp_path)

    def make(seed):
        return translation.multi30k(
            8, seed, tmp_path, tokenizer="bpe:300", max_tokens=120
        )

    first = batches(make(0), 30)
    for step in (0, 7, 29):  # a fresh loader, begun anywhere
        for found, expected in zip(
            batches(make(0), 1, start=step)[0], first[step], strict=True
        ):
            np.testing.assert_array_equal(found, expected)
    other = batches(make(1), 30)
    assert any(
        a[1].shape != b[1].shape or (a[1] != b[1]).any()
        for a, b in zip(first, other, strict=True)
    )


def test_batches_keep_the_token_budget_and_pad_both_sides_alike(tmp_path):
    write_multi30k(tmp_path)
    splits = translation.multi30k(
        16, data_dir=tmp_path, tokenizer="bpe:300", max_tokens=120
    )
    shapes = {labels.shape for _, labels in batches(splits, 40)}
    assert all(rows * length <= 120 and rows <= 16 for rows, length in shapes)
    assert all(length % 4 == 0 for _, length in shapes)
    assert 1 < len(shapes) <= 10
    for inputs, labels in batches(splits, 5):
        assert inputs.shape == labels.shape


def test_the_joint_tokenizer_knows_both_languages_and_is_learned_once(tmp_path):
    write_multi30k(tmp_path)
    made = [
        translation.multi30k(4, data_dir=tmp_path, tokenizer="bpe:300").tokenizer
        for _ in range(2)
    ]
    assert made[0] is made[1]
    text = "tokde token, \N{SNOWMAN}"
    assert made[0].decode(made[0].encode(text)) == text
    assert len(made[0].encode("tokde tokde")) < 5
    with pytest.raises(ValueError, match=r"`tokenizer` must be .*'bpe:SIZE'"):
        translation.multi30k(4, data_dir=tmp_path, tokenizer="words")


def test_own_pairs_come_from_one_file_or_two(tmp_path):
    rows = [(f"in {i}", f"out {i * i}") for i in range(40)]
    rows += [("", "lost"), rows[0]]
    single, first, second = (tmp_path / name for name in ("p.tsv", "a.txt", "b.txt"))
    single.write_text("".join(f"{a}\t{b}\tmore\n" for a, b in rows), "utf-8")
    first.write_text("".join(f"{a}\n" for a, _ in rows), "utf-8")
    second.write_text("".join(f"{b}\n" for _, b in rows), "utf-8")
    found = [
        translation.pairs(4, path=path, tokenizer="characters")
        for path in (single, (first, second))
    ]
    found.append(
        translation.source(f"{first},{second}")(batch_size=4, tokenizer="characters")
    )
    for splits in found:
        assert splits.train.plan.count == 32
        assert len(splits.held_out["inputs"]) == len(splits.test["inputs"]) == 4
        np.testing.assert_array_equal(splits.test["inputs"], found[0].test["inputs"])
    second.write_text("one line", "utf-8")
    with pytest.raises(ValueError, match="must have as many lines"):
        translation.pairs(4, path=(first, second))
    first.write_text("no tab\n", "utf-8")
    with pytest.raises(ValueError, match=r"a tab in every line.*line 1"):
        translation.pairs(4, path=first)


def test_sources_have_names():
    assert translation.source("dates") is translation.dates
    with pytest.raises(ValueError, match="did you mean 'multi30k'"):
        translation.source("multi30")
