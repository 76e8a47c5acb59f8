"""What cannot be made says so in one line, whatever its size would be."""

import keras
import pytest

from keras_genai.layers.attention import Attention
from keras_genai.layers.embedding import TokenEmbedding
from keras_genai.layers.feedforward import FeedForward
from keras_genai.layers.positions import LearnedPositions, RelativePositionBias
from keras_genai.layers.recurrent import LSTM
from keras_genai.layers.recurrent_attention import BahdanauAttention, LuongAttention
from keras_genai.layers.recurrent_stacks import AttentiveDecoder, BidirectionalStack
from keras_genai.layers.transformer import make_block
from keras_genai.layers.waves import SinusoidalPositions
from keras_genai.networks.bert import BERT
from keras_genai.networks.encoder_decoder import EncoderDecoder, EncoderDecoderStyle
from keras_genai.networks.gpt import GPT, LLAMA, Style
from keras_genai.networks.modern_bert import ModernBERT, ModernBERTStyle
from keras_genai.networks.ngram import NGram
from keras_genai.networks.recurrent_encoder import RecurrentEncoder
from keras_genai.networks.recurrent_encoder_decoder import RecurrentEncoderDecoder
from keras_genai.networks.rnn import RNN
from keras_genai.networks.t5 import T5, T5Style
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.seq2seq import Seq2SeqLM
from keras_genai.tasks.tagging import TokenClassifier
from keras_genai.tasks.truncated import TruncatedLM

SIZES = (0, -2, 2.5, None, "x", True, 2**31, 10**12)
GIVEN = tuple(value for value in SIZES if value is not None)
RATES = (1, -0.1, None, "x", float("nan"))
FLAGS = (1, None, "yes")
WRONG = (None, "of a kind", ())


def wrong(make, sizes="", given="", rates="dropout", flags="", others="", **settings):
    """`(make, settings, name, values)` of each argument and values it cannot have."""
    for names, values in (
        (sizes, SIZES),
        (given, GIVEN),
        (rates, RATES),
        (flags, FLAGS),
        (others, WRONG),
    ):
        for name in names.split():
            yield make, settings, name, values


BERT_SIZES = {
    "vocabulary_size": 11,
    "context": 8,
    "depth": 1,
    "width": 8,
    "num_heads": 2,
}
GPT_SIZES = {**BERT_SIZES}
HALVES = {
    "vocabulary_size": 11,
    "context": 8,
    "encoder_depth": 1,
    "decoder_depth": 1,
    "width": 8,
    "num_heads": 2,
}
T5_SIZES = {name: size for name, size in HALVES.items() if name != "context"}
RECURRENT = {"vocabulary_size": 11, "embedding_dim": 4, "units": 4, "num_layers": 1}


def with_head(head):
    network = RecurrentEncoder(vocabulary_size=11, context=8, embedding_dim=4, units=4)
    return lambda **settings: head(network, **settings)


def rewriter(**settings):
    return Seq2SeqLM(RecurrentEncoderDecoder(**RECURRENT), **settings)


def truncated(**settings):
    return TruncatedLM(RNN(**RECURRENT), **settings)


def gpt(**settings):
    return GPT(**{**GPT_SIZES, **settings})


def keys(settings):
    return " ".join(settings)


CASES = [
    *wrong(GPT, keys(GPT_SIZES), "head_dim inner_width", others="style", **GPT_SIZES),
    *wrong(
        BERT,
        keys(BERT_SIZES),
        "inner_width num_segments",
        flags="has_pooler",
        others="activation style",
        **BERT_SIZES,
    ),
    *wrong(
        ModernBERT,
        keys(BERT_SIZES) + " inner_width",
        flags="has_pooler",
        others="activation style",
        **BERT_SIZES,
    ),
    *wrong(
        ModernBERTStyle,
        "window",
        rates="",
        flags="attention_bias feedforward_bias norm_bias head_bias",
        others="rotary head_activation pooling",
    ),
    *wrong(EncoderDecoder, keys(HALVES), "inner_width", others="style", **HALVES),
    *wrong(
        T5,
        keys(T5_SIZES) + " head_dim inner_width",
        others="style",
        **T5_SIZES,
        head_dim=4,
        inner_width=8,
    ),
    *wrong(rewriter, rates="", others="generation turns"),
    *wrong(RNN, keys(RECURRENT), flags="tie_embeddings", others="cell", **RECURRENT),
    *wrong(truncated, given="lanes", rates=""),
    *wrong(
        RecurrentEncoderDecoder,
        keys(RECURRENT),
        flags="tie_embeddings",
        others="cell attention",
        **RECURRENT,
    ),
    *wrong(
        RecurrentEncoder,
        keys(RECURRENT) + " context",
        rates="dropout token_dropout",
        others="cell pooling",
        **RECURRENT,
    ),
    *wrong(
        NGram,
        "vocabulary_size order",
        rates="",
        others="smoothing",
        vocabulary_size=11,
        order=2,
    ),
    *wrong(with_head(SequenceClassifier), others="target"),
    (with_head(SequenceClassifier), {}, "pooling", ("x", ())),
    *wrong(with_head(TokenClassifier), others="target"),
    *wrong(TokenClassifier, rates="", others="network"),
    *wrong(Style, given="num_memory_heads", rates="", flags="use_bias normalize_heads"),
    *wrong(Style, rates="", others="positions norm feedforward"),
    *wrong(
        EncoderDecoderStyle,
        given="decoder_num_heads decoder_inner_width",
        rates="",
        flags="pre_norm scale_embedding tie_embeddings own_inputs logits_bias float16",
        others="activation embedding_norm positions initializer",
    ),
    *wrong(T5Style, "num_buckets max_distance", rates="", flags="gated scale_logits"),
    *wrong(Attention, "num_heads head_dim", rates="", num_heads=2, head_dim=4),
    *wrong(FeedForward, "hidden", rates="", flags="use_bias", hidden=4),
    *wrong(LearnedPositions, "context width", rates="", context=4, width=4),
    *wrong(
        SinusoidalPositions,
        "context width",
        rates="",
        others="waves",
        context=4,
        width=4,
    ),
    *wrong(RelativePositionBias, "num_heads", rates="", flags="causal", num_heads=2),
    *wrong(TokenEmbedding, "input_dim output_dim", rates="", input_dim=4, output_dim=4),
    *wrong(LSTM, "units", rates="", units=4),
    *wrong(BahdanauAttention, "units", rates="", units=4),
    *wrong(LuongAttention, rates="", given="units", others="score"),
    *wrong(BidirectionalStack, "units num_layers", others="cell", units=4),
    *wrong(AttentiveDecoder, "units num_layers", others="cell attention", units=4),
]


@pytest.mark.parametrize(
    ("make", "settings", "name", "values"),
    CASES,
    ids=lambda each: getattr(each, "__name__", None),
)
def test_an_argument_that_cannot_be_is_named(make, settings, name, values):
    for value in values:
        with pytest.raises((TypeError, ValueError), match=f"`{name}` must be") as error:
            make(**{**settings, name: value})
        assert "\n" not in str(error.value)
        assert repr(value) in str(error.value)


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: gpt(num_heads=3), "`width` must be a multiple of"),
        (
            lambda: gpt(head_dim=3, style=LLAMA),
            "`head_dim` must be even",
        ),
        (
            lambda: gpt(num_heads=4, style=Style(num_memory_heads=3)),
            "`num_heads` must be a multiple of `num_memory_heads`",
        ),
        (
            lambda: BERT(**{**BERT_SIZES, "num_heads": 3}).complete(),
            "`width` must be a multiple of",
        ),
        (
            lambda: make_block(8, 3, 4, "relu", keras.layers.LayerNormalization, None),
            "`width` must be a multiple of",
        ),
        (lambda: T5Style(num_buckets=5), "`num_buckets` must be an even int >= 4"),
        (lambda: T5Style(max_distance=16), "`max_distance` must be above half"),
        (lambda: T5Style(epsilon=0), "`epsilon` must be a number > 0"),
    ],
)
def test_arguments_that_do_not_fit_each_other_are_named(make, said):
    with pytest.raises(ValueError, match=said):
        make()
