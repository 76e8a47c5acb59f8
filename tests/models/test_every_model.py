"""Every model keeps what all models promise; see `tests/harness.py`."""

import functools

import keras
import numpy as np
import pytest
from harness import (
    POLICIES,
    ROWS,
    Case,
    check_config,
    check_config_alone,
    check_file,
    check_parts_take_the_policy,
    check_policy,
    check_symbolic,
    check_training,
    check_xla,
    public_classes,
)

from keras_genai import models, tasks
from keras_genai.models.dit import DiTBlock
from keras_genai.models.pixelcnn import MaskedBlock
from keras_genai.tasks import encoder
from keras_genai.tasks.answering import QuestionAnswering
from keras_genai.tasks.embedding import SentenceEmbedder
from keras_genai.tasks.prior import GridPrior, SequencePrior
from keras_genai.tasks.seq2seq import Seq2SeqLM

VOCABULARY, LENGTH, SOURCE, SHAPE, CLASSES, CODES = 11, 5, 6, (8, 8, 1), 3, 6
DRAWS = np.random.default_rng(0)
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def ints(*shape, most=VOCABULARY):
    return DRAWS.integers(1, most, (ROWS, *shape)).astype("int32")


def pictures(*shape):
    return DRAWS.random((ROWS, *shape), "float32")


TOKENS, TARGETS = ints(LENGTH), ints(LENGTH)
REAL = np.arange(SOURCE) < np.array([[4], [6], [1], [5]])
PAIR = {"inputs": ints(SOURCE), "inputs_mask": REAL, "targets": TOKENS}
READ = {"tokens": ints(SOURCE), "tokens_mask": REAL}
READ_BY_BERT = {**READ, "segments": ints(SOURCE, most=2)}
PICTURES = {"images": pictures(*SHAPE)}
LABELLED = {**PICTURES, "labels": np.arange(ROWS) % CLASSES}
TRANSLATED = {**PICTURES, "condition": pictures(*SHAPE)}
COLUMNS = np.arange(ROWS) % 2


def case(kind, *arguments, inputs, targets=None, draws=False, loss=None, **settings):
    """Of a class and its arguments; with targets, its loss is the cross-entropy."""
    loss = CROSS_ENTROPY if targets is not None and loss is None else loss
    made = functools.partial(kind, *arguments, **settings)
    return Case(
        lambda dtype: made(dtype=dtype),
        inputs,
        draws=draws,
        targets=targets,
        loss=loss,
    )


def on_top(head, make, **settings):
    """A model that is made of others, each with the policy."""

    def made(dtype, **more):
        return head(*make(dtype), dtype=dtype, **settings, **more)

    return made


def bert(dtype, pooler=False):
    return [models.BERT(VOCABULARY, 8, 1, 8, 2, pooler=pooler, dtype=dtype)]


def codec(dtype):
    return models.VQVAE(SHAPE, CODES, 4, filters=(4, 4), name="codec", dtype=dtype)


def grid_prior(dtype):
    prior = models.PixelCNN((2, 2, 1), CODES, 8, 1, num_classes=CLASSES, dtype=dtype)
    return codec(dtype), prior


def sequence_prior(dtype):
    gpt = models.GPT(CODES + CLASSES, 4, 1, 8, 2, dtype=dtype)
    return codec(dtype), gpt


HALVES = {"encoder_depth": 1, "decoder_depth": 1, "width": 8, "num_heads": 2}
TEXT_PAIR = {"context": 8, "hidden": 12, "inputs": PAIR, "targets": TARGETS}
SMALL = {"embedding_dim": 6, "units": 4, "num_layers": 1}
GAN = {"latent": 4, "width": 2, "draws": True}
NOISE = {"draws": True, "inputs": LABELLED, "num_classes": CLASSES}
CASES = {
    "BART": case(models.BART, VOCABULARY, **HALVES, **TEXT_PAIR),
    "BERT": case(models.BERT, VOCABULARY, 8, 1, 8, 2, inputs=READ_BY_BERT),
    "Blenderbot": case(models.Blenderbot, VOCABULARY, **HALVES, **TEXT_PAIR),
    "ConvolutionalVAE": case(
        models.ConvolutionalVAE, SHAPE, 3, (4, 4), 5, inputs=PICTURES, draws=True
    ),
    "CycleGAN": case(
        models.CycleGAN, SHAPE, SHAPE, 2, 1, pool_size=6, inputs=TRANSLATED
    ),
    "DCGAN": case(models.DCGAN, SHAPE, num_classes=CLASSES, inputs=LABELLED, **GAN),
    "DiT": case(models.DiT, SHAPE, 4, 1, 8, 2, **NOISE),
    "GPT": case(models.GPT, VOCABULARY, 8, 1, 8, 2, inputs=TOKENS, targets=TARGETS),
    "MLPVAE": case(
        models.MLPVAE, SHAPE, 3, (9,), num_classes=CLASSES, inputs=LABELLED, draws=True
    ),
    "Pix2Pix": case(models.Pix2Pix, SHAPE, SHAPE, 2, dropout=0.0, inputs=TRANSLATED),
    "PixelCNN": case(
        models.PixelCNN, SHAPE, 2, 6, 1, num_classes=CLASSES, inputs=LABELLED
    ),
    "RNNLM": case(models.RNNLM, VOCABULARY, **SMALL, inputs=TOKENS, targets=TARGETS),
    "RecurrentEncoder": case(models.RecurrentEncoder, VOCABULARY, 8, 6, 4, inputs=READ),
    "RecurrentSeq2Seq": case(
        models.RecurrentSeq2Seq,
        VOCABULARY,
        **SMALL,
        dropout=0.0,
        inputs=PAIR,
        targets=TARGETS,
    ),
    "StyleGAN2": case(
        models.StyleGAN2,
        SHAPE,
        mapping_depth=1,
        num_classes=CLASSES,
        inputs=LABELLED,
        **GAN,
    ),
    "T5": case(
        models.T5,
        VOCABULARY,
        **HALVES,
        head_dim=4,
        hidden=12,
        inputs=PAIR,
        targets=TARGETS,
    ),
    "Transformer": case(models.Transformer, VOCABULARY, **HALVES, **TEXT_PAIR),
    "UNet": case(models.UNet, SHAPE, 8, (1,), 1, (0,), **NOISE),
    "VQVAE": Case(codec, PICTURES),
    "VideoGAN": case(
        models.VideoGAN, (4, *SHAPE), inputs={"images": pictures(4, *SHAPE)}, **GAN
    ),
    "WGANGP": case(models.WGANGP, SHAPE, norm="layer", inputs=PICTURES, **GAN),
    "DiTBlock": Case(
        lambda dtype: DiTBlock(2, 12, dtype=dtype),
        [pictures(LENGTH, 8), pictures(4)],
        lambda layer, inputs: layer(*inputs),
    ),
    "GridPrior": Case(on_top(GridPrior, grid_prior), LABELLED),
    "MaskedBlock": Case(
        lambda dtype: MaskedBlock(8, 0.1, CLASSES, dtype=dtype),
        [pictures(4, 4, 8), COLUMNS],
        lambda layer, inputs: layer(*inputs),
    ),
    "MaskedLM": Case(
        on_top(encoder.MaskedLM, bert),
        {**READ_BY_BERT, "places": ints(2, most=SOURCE)},
        targets=ints(2),
        loss=CROSS_ENTROPY,
    ),
    "QuestionAnswering": Case(
        on_top(QuestionAnswering, bert),
        READ_BY_BERT,
        targets={"start": COLUMNS, "end": COLUMNS + 1},
        loss={"start": CROSS_ENTROPY, "end": CROSS_ENTROPY},
    ),
    "SentenceEmbedder": Case(
        on_top(SentenceEmbedder, bert, dense=((7, "tanh", True),)),
        READ_BY_BERT,
        targets=pictures(7),
        loss="mse",
    ),
    "SequenceClassifier": Case(
        on_top(encoder.SequenceClassifier, functools.partial(bert, pooler=True)),
        READ_BY_BERT,
        targets=COLUMNS,
        loss=CROSS_ENTROPY,
    ),
    "SequencePrior": Case(
        on_top(SequencePrior, sequence_prior, num_classes=CLASSES), LABELLED
    ),
    "TokenClassifier": Case(
        on_top(encoder.TokenClassifier, bert),
        READ_BY_BERT,
        targets=ints(SOURCE, most=2),
        loss=CROSS_ENTROPY,
    ),
}
COUNTS = {"NGram"}  # has tables instead of weights; see its own tests
PARTS = {"Discriminator", "Generator"}  # of StyleGAN2, which makes and saves them
BASES = {
    "CausalLM",
    "CodeModel",
    "CodePrior",
    "Diffusion",
    "EncoderDecoderLM",
    "EncoderTask",
    "GAN",
    "LogitsTask",
    "PictureTask",
    "SampleTask",
    "Seq2SeqLM",
    "Task",
    "VAE",
}
EXPORTED = {"Denoiser"}  # made for a file of what runs without this library
# Those with a loss; two networks that learn from each other have tests of their own.
LEARNING = [
    name
    for name in CASES
    if not name.endswith(
        ("GAN", "GANGP", "GAN2", "Pix2Pix", "Block", "BERT", "Encoder")
    )
]

every_model = pytest.mark.parametrize("name", CASES)


def test_no_public_model_is_left_out():
    public = public_classes(models, keras.layers.Layer)
    public |= public_classes(tasks, keras.layers.Layer)
    assert set(CASES) == set(public) - COUNTS - PARTS - BASES - EXPORTED


@every_model
def test_a_config_makes_a_model_of_the_same_config_and_weights(name):
    check_config_alone(CASES[name])


@pytest.mark.slow
@every_model
def test_a_model_comes_back_from_its_config(name):
    check_config(CASES[name])


@pytest.mark.slow
@every_model
def test_parts_of_a_model_take_its_policy(name):
    check_parts_take_the_policy(CASES[name])


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
@every_model
def test_a_model_computes_in_the_dtype_it_is_given(name, policy):
    if policy == "mixed_float16" and isinstance(CASES[name].whole, Seq2SeqLM):
        pytest.skip("refuses float16")
    check_policy(CASES[name], policy)


@pytest.mark.slow
@every_model
def test_a_model_is_part_of_a_functional_model(name):
    check_symbolic(CASES[name])


@pytest.mark.slow
@every_model
def test_xla_computes_what_a_model_does_without_it(name):
    check_xla(CASES[name])


@pytest.mark.slow
@every_model
def test_a_model_is_saved_and_loaded_whole(name, tmp_path):
    check_file(CASES[name], tmp_path / "model.keras")


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNING)
def test_every_weight_that_trains_moves(name):
    check_training(CASES[name])
