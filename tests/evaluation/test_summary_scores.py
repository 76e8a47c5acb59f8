"""ROUGE: known values, the best of several references, and a model that is scored."""

import sys

import keras
import pytest

from keras_genai.data import summarization
from keras_genai.evaluation.summarization import rouge, score_summaries
from keras_genai.evaluation.translation import translate
from keras_genai.evaluation.words import words
from keras_genai.modalities.text import Text
from keras_genai.networks.recurrent_encoder_decoder import RecurrentEncoderDecoder
from keras_genai.samplers import GenerationSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM


def test_rouge_is_the_f_measure_of_shared_words_pairs_and_order():
    # Of 4 and 6 words 3 are shared, of 3 and 5 pairs 1, and in this order 2.
    found = rouge(["cats sat here now"], ["now the cats sat on mats"], stem=False)
    assert found["rouge1"] == pytest.approx(100 * 2 * 3 / 10)
    assert found["rouge2"] == pytest.approx(100 * 2 * 1 / 8)
    assert found["rougeL"] == pytest.approx(100 * 2 * 2 / 10)
    assert rouge(["nothing"], ["else"]) == dict.fromkeys(found, 0.0)


def test_each_measure_takes_the_best_of_several_references():
    several = ["nothing alike", "a dog ran", "ran a dog"]
    assert rouge(["a dog ran"], [several]) == pytest.approx(
        {"rouge1": 100, "rouge2": 100, "rougeL": 100}
    )
    half = rouge(["a dog ran", "x"], [several, ["y"]])
    assert half["rouge1"] == pytest.approx(50)


def test_endings_of_words_do_not_count_unless_asked():
    assert rouge(["learning"], ["learned"])["rouge1"] == pytest.approx(100)
    assert rouge(["learning"], ["learned"], stem=False)["rouge1"] == 0


def test_a_text_without_a_reference_is_refused():
    for references in ([], ["a"], ["a", []]):
        with pytest.raises(ValueError, match="one or more str for each"):
            rouge(["x", "y"], references)


def test_rouge_without_its_package_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "rouge_score.rouge_scorer", None)
    with pytest.raises(ImportError, match=r"keras_genai\[eval\]"):
        rouge(["a"], ["a"])


@pytest.mark.slow
def test_summaries_of_a_model_are_written_and_scored():
    keras.utils.set_random_seed(0)
    splits = summarization.scitldr(2, stand_in=True, tokenizer="bpe:300")
    model = Seq2SeqLM(
        RecurrentEncoderDecoder(embedding_dim=8, units=6),
        Text(splits.tokenizer),
        generation=GenerationSettings(max_length=5),
    )
    model.jit_generate = False
    texts = splits.test["inputs"][:3].tolist()
    written = translate(model, texts, input_length=20)
    found = score_summaries(model, texts, written, input_length=20)
    expected = 100 * sum(bool(words(text)) for text in written) / 3
    assert found["rouge1"] == pytest.approx(expected)
