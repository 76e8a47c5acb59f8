"""What entries of DALL-E are scored by, on models of which it is known."""

import types

import numpy as np

from keras_genai.data import emoji
from zoo import _dalle


class Knows:
    """A model to which a caption of its own tells 3 nats a picture, others cost 1."""

    length = 4

    def __init__(self, tokens):
        self.tokens = tokens
        self.codec = types.SimpleNamespace(tokenize=lambda images: images[:, :1, :1, 0])

    def score(self, images, prompts=None):
        nats = np.full(len(images), 2.0)
        if prompts is not None:
            own = (prompts == self.tokens).all(axis=1)
            nats += np.where(own, -3.0, 1.0) / self.length
        return nats


def test_the_gain_of_captions_is_in_nats_a_picture_and_that_of_others_negative():
    splits = emoji.emoji(2, stand_in=True)
    model = Knows(splits.test["tokens"])
    figures = _dalle.told(model, splits)
    assert figures["caption_gain"] == 3.0
    assert -1.0 <= figures["caption_gain_shuffled"] < 0.0
    np.testing.assert_allclose(figures["nats_per_code"], 2.0 - 3.0 / 4)
    corners = splits.test["images"][:, 0, 0, 0]
    assert figures["codes_used"] == len(np.unique(corners))


class Keeps:
    """A codec that loses nothing, or all colour."""

    data_variance, num_codes = 0.1, 8

    def __init__(self, grey):
        self.grey = grey

    def tokenize(self, images):
        self.images = images / np.float32(255)
        return np.arange(8).repeat(2)

    def decode_tokens(self, codes):
        return self.images if not self.grey else np.full_like(self.images, 0.5)

    def reconstruct(self, images):
        return self.decode_tokens(self.tokenize(images))


def test_a_codec_is_charged_for_tones_that_it_loses():
    splits = emoji.emoji(2, stand_in=True)
    whole, grey = (_dalle.score_codec(Keeps(each), splits) for each in (False, True))
    assert whole["reconstruction"] == 0.0
    assert whole["tones_right"] == whole["tones_right_floor"] == 1.0
    assert whole["perplexity"] > 7.99
    assert grey["reconstruction"] > 0.1
    assert grey["tones_right"] < 0.6


def test_the_best_by_a_ranker_is_scored_beside_the_first(monkeypatch):
    splits = emoji.emoji(2, stand_in=True)
    asked = []

    def score(model, splits, seed, **options):
        asked.append(options)
        right = 0.9 if "rank_by" in options else 0.8
        return {"tones_right": right, "motifs_right": right / 2}

    monkeypatch.setattr(_dalle._emoji, "score", score)
    model = Knows(splits.test["tokens"])
    figures = _dalle.score(model, splits, ranker="clip", guidance=2.0)
    assert next(iter(figures)) == "tones_right"
    assert figures["tones_right"] == 0.8
    assert figures["tones_right_ranked"] == 0.9
    assert figures["motifs_right_ranked"] == 0.45
    assert asked[1] == {"guidance": 2.0, "candidates": 8, "rank_by": "clip"}
    assert "tones_right_ranked" not in _dalle.score(model, splits)
