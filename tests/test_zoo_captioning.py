"""Captioners of the zoo: how they are scored and fed, and the verb `caption`."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from keras_genai.data.captions import scenes
from zoo import __main__ as command
from zoo import _captioning


class Teller:
    """Says of a known picture what somebody decided, and of all others one thing."""

    jit_generate = True

    def __init__(self, splits, texts, otherwise="nothing"):
        self.tokenizer = splits.tokenizer
        images = splits.test["images"].astype("float32") / 255
        self.texts = {
            image.tobytes(): text for image, text in zip(images, texts, strict=True)
        }
        self.otherwise = otherwise

    def caption(self, images, batch_size):
        images = np.asarray(images)
        if images.dtype == np.uint8:
            images = images.astype("float32") / 255
        return [self.texts.get(image.tobytes(), self.otherwise) for image in images]


@pytest.fixture(scope="module")
def emoji():
    return zoo.get("caption_emoji").stand_in()


@pytest.fixture(scope="module")
def digits():
    return zoo.get("caption_digits").stand_in()


def spelled(splits):
    rows = splits.tokenizer.encode_batch(splits.test["captions"].tolist())
    return [splits.tokenizer.decode(row) for row in rows]


def test_who_says_the_truth_is_right_and_what_is_nearest_never_is(emoji):
    pytest.importorskip("sacrebleu")
    figures = _captioning.score(Teller(emoji, spelled(emoji)), emoji)
    assert next(iter(figures)) == "exact_match"
    right = "exact_match", "tone_word_right", "exact_match_new_motif", "distinct"
    assert [figures[name] for name in right] == [1, 1, 1, 1]
    assert figures["bleu"] == pytest.approx(100)
    # No pair of motif and tone of the test trains.
    assert figures["exact_match_floor"] == 0
    assert figures["tone_word_right_floor"] < 1
    assert figures["exact_match_shuffled"] < 0.5
    assert figures["exact_blank"] == 0


def test_who_says_the_same_of_all_pictures_is_not_distinct(emoji):
    pytest.importorskip("sacrebleu")
    truth = spelled(emoji)
    said = truth[0]
    figures = _captioning.score(Teller(emoji, [said] * len(truth), said), emoji)
    assert figures["distinct"] == pytest.approx(1 / len(truth))
    assert figures["exact_match"] == figures["exact_blank"] <= 0.5


def test_a_tone_is_the_last_words_and_no_part_of_another_one(emoji):
    truth = ["disc, medium-dark skin tone"] * 4
    found = [
        "ring, medium - dark skin tone",
        "disc, dark skin tone",
        "disc",
        "disc, medium - dark",
    ]
    truth = _captioning._again(emoji.tokenizer, truth)
    right = _captioning._tones_match(emoji.tokenizer, found, truth)
    assert right.tolist() == [True, False, False, False]


def test_there_are_several_true_captions_of_two_digits(digits):
    images, index = digits.test["images"], digits.test["scenes"]
    own = [scenes()[place].caption for place in index]
    true = _captioning.true_captions(images, index)
    assert {len(several) for several in true} == {8}
    assert all(text in several for text, several in zip(own, true, strict=True))
    figures = _captioning.score_digits(Teller(digits, own), digits)
    assert figures["captions_right"] == 1
    assert figures["captions_right_floor"] == figures["captions_right_blank"] == 0
    assert figures["captions_right_shuffled"] < 0.5
    wrong = [sorted(true[place - 1])[0] for place in range(len(own))]
    assert _captioning.score_digits(Teller(digits, wrong), digits)[
        "captions_right"
    ] == pytest.approx(
        np.mean([text in several for text, several in zip(wrong, true, strict=True)])
    )


def test_a_blank_picture_is_of_the_background(emoji, digits):
    for splits, value in ((emoji, 1.0), (digits, 0.0)):
        images = splits.test["images"]
        blank = _captioning.blank_of(images)
        assert blank.shape == (1, *images.shape[1:])
        assert (blank == value).all()


@pytest.mark.parametrize("name", ["caption_emoji", "caption_digits"])
def test_batches_of_a_captioner_begin_with_its_start_and_end_with_its_end(name):
    entry = zoo.get(name)
    splits = entry.stand_in()
    fed = entry.fed(None, splits, 2)
    tokenizer = splits.tokenizer
    for batch, (inputs, labels, weight) in zip(
        splits.train.evaluation().take(2), fed.train.evaluation().take(2), strict=True
    ):
        np.testing.assert_array_equal(inputs["inputs"], batch["images"])
        assert inputs["inputs_mask"].shape == batch["images"].shape[:2]
        assert tf.reduce_all(inputs["inputs_mask"])
        for row, tokens in enumerate(batch["tokens"].numpy()):
            text = tokens[tokens > 0].tolist()
            length = len(text) + 1
            assert labels[row, :length].numpy().tolist() == [*text, tokenizer.end_token]
            read = inputs["targets"][row, :length].numpy().tolist()
            assert read == [tokenizer.start_token, *text]
            assert weight[row].numpy().sum() == length
    known, tokens = _captioning.known_pictures(fed)
    assert len(known) == len(tokens) >= 2
    assert known.max() <= 1


def test_longer_captions_of_ones_own_find_room():
    entry = zoo.get("caption_transformer_emoji")

    class Long:
        @staticmethod
        def kind(key):
            return type("Kind", (), {"length": 40})

    found = _captioning.fits(entry.config, Long)
    assert found["context"] == found["generation"].max_length == 42
    assert "context" not in _captioning.fits(zoo.get("caption_emoji").config, Long)


@pytest.fixture(scope="module")
def preset(emoji, tmp_path_factory):
    entry = zoo.get("caption_emoji")
    folder = tmp_path_factory.mktemp("captions") / "preset"
    entry.build(emoji, **entry.tiny).save_to_preset(folder)
    return folder


@pytest.mark.slow
def test_files_and_folders_are_told_a_line_each(preset, tmp_path, capsys):
    (tmp_path / "more").mkdir()
    names = "b.png", "more/a.png", "more/c.png"
    draws = np.random.default_rng(0)
    for name, side in zip(names, (8, 40, 32), strict=True):
        pixels = draws.integers(0, 256, (side, side + 2, 3), "uint8")
        (tmp_path / name).write_bytes(tf.io.encode_png(pixels).numpy())
    (tmp_path / "more/notes.txt").write_text("no picture")
    arguments = ["caption", str(preset), str(tmp_path / "b.png"), "--beams", "1"]
    drawn = tmp_path / "drawn.png"
    arguments += [str(tmp_path / "more"), "--picture", str(drawn)]
    assert not command.main(arguments)
    assert drawn.read_bytes().startswith(b"\x89PNG")
    lines = capsys.readouterr().out.splitlines()
    assert [line.partition(":")[0] for line in lines] == [
        str(tmp_path / name) for name in names
    ]


def test_what_is_no_picture_is_said_before_a_model_is_opened(tmp_path, capsys):
    for name in ("none.png", "."):
        assert command.main(["caption", "caption_emoji", str(tmp_path / name)]) == 2
        said = capsys.readouterr().err
        assert "`FILE` must be a picture file, or a folder with some" in said
    (tmp_path / "a.png").write_bytes(b"")
    arguments = [str(tmp_path / "a.png"), "--picture", str(tmp_path / "a.txt")]
    assert command.main(["caption", "caption_emoji", *arguments]) == 2
    assert "`--picture` must end with .png" in capsys.readouterr().err


def test_a_transformer_has_no_attention_to_be_drawn(emoji, tmp_path, capsys):
    entry = zoo.get("caption_transformer_emoji")
    entry.build(emoji, **entry.tiny).save_to_preset(tmp_path / "preset")
    file = tmp_path / "a.png"
    file.write_bytes(tf.io.encode_png(np.zeros((9, 9, 3), "uint8")).numpy())
    drawn = ["--picture", str(tmp_path / "b.png")]
    assert command.main(["caption", str(tmp_path / "preset"), str(file), *drawn]) == 2
    assert "`--picture` must be left out" in capsys.readouterr().err
