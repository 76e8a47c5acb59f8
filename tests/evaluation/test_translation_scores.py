import sys

import numpy as np
import pytest

from keras_genai.data import translation
from keras_genai.evaluation.attention_plot import draw_attention, plot_attention
from keras_genai.evaluation.translation import bleu, exact_match, perplexity, translate
from keras_genai.modalities.text import Text
from keras_genai.networks.recurrent_encoder_decoder import RecurrentEncoderDecoder
from keras_genai.samplers import GenerationSettings, Greedy
from keras_genai.tasks.seq2seq import Seq2SeqLM

TEXTS = ["a man rides a bicycle .", "two dogs play in the snow , together ."]


@pytest.fixture(scope="module")
def dates():
    """Made-up dates and a model that knows nothing."""
    splits = translation.dates(batch_size=4, stand_in=True)
    model = Seq2SeqLM(
        RecurrentEncoderDecoder(embedding_dim=8, units=6),
        Text(splits.tokenizer),
        generation=GenerationSettings(max_length=6),
    )
    model.jit_generate = False
    return splits, model


def test_the_bleu_of_identical_text_is_100():
    assert bleu(TEXTS, TEXTS) == pytest.approx(100)
    assert bleu(TEXTS, TEXTS, "none") == pytest.approx(100)
    worse = bleu([TEXTS[0], "two dogs play in the grass , together ."], TEXTS, "none")
    assert 50 < worse < 95
    assert bleu(["nothing here"] * 2, TEXTS) < 5


def test_bleu_without_sacrebleu_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "sacrebleu.metrics", None)
    with pytest.raises(ImportError, match=r"keras_genai\[eval\]"):
        bleu(TEXTS, TEXTS)


def test_exact_match_is_the_share_of_equal_texts():
    assert exact_match(["a", "b", "c"], ["a", "x", "c"]) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="must be of one length"):
        exact_match(["a"], [])


@pytest.mark.slow
def test_texts_come_back_in_their_order_whatever_the_batch(dates):
    splits, model = dates
    texts = splits.test["inputs"][:5].tolist()
    expected = [model.generate(text, sampler=Greedy()).strip() for text in texts]
    assert translate(model, texts, batch_size=2) == expected


def test_perplexity_of_a_uniform_model_is_the_size_of_the_vocabulary(dates):
    splits, model = dates
    table = model.network.embedding.embeddings
    saved = table.numpy()
    table.assign(np.zeros_like(saved))
    found = perplexity(model, *(splits.test[k][:5] for k in ("inputs", "targets")), 2)
    table.assign(saved)
    assert found == pytest.approx(splits.tokenizer.vocabulary_size, rel=1e-4)


@pytest.mark.slow
def test_a_plot_shows_both_sides(dates):
    _, model = dates
    for output in (None, "2020-01-05"):
        picture = plot_attention(model, "5 Jan 2020", output)
        assert picture.startswith(b"\x89PNG")
    assert draw_attention(np.ones((1, 2)) / 2, ["$", "\x11"], [" "])
    with pytest.raises(ValueError, match="must be \\(outputs, inputs\\)"):
        draw_attention(np.ones((2, 3)), ["a", "b"], ["c", "d", "e"])
