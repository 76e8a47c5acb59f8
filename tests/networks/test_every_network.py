"""Every network keeps what all networks promise; see `tests/harness.py`."""

import dataclasses
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
    check_xla,
    public_classes,
)

from keras_genai import networks
from keras_genai.networks.bert import BERT, BERTStyle
from keras_genai.networks.cyclegan import CycleGANGenerator
from keras_genai.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from keras_genai.networks.deep_speech import DeepSpeech2
from keras_genai.networks.dit import DiT
from keras_genai.networks.dvae import DiscreteAutoencoder
from keras_genai.networks.encoder_decoder import (
    BART,
    BLENDERBOT,
    M2M100,
    MARIAN,
    EncoderDecoder,
)
from keras_genai.networks.gpt import GPT, Style
from keras_genai.networks.matcha import Matcha
from keras_genai.networks.modern_bert import ModernBERT, ModernBERTStyle
from keras_genai.networks.patchgan import PatchDiscriminator
from keras_genai.networks.pix2pix import Pix2PixGenerator
from keras_genai.networks.pixelcnn import PixelCNN
from keras_genai.networks.point_denoiser import PointDenoiser
from keras_genai.networks.recurrent_captioner import RecurrentCaptioner
from keras_genai.networks.recurrent_encoder import RecurrentEncoder
from keras_genai.networks.recurrent_encoder_decoder import RecurrentEncoderDecoder
from keras_genai.networks.residual_encoder import ResidualEncoder
from keras_genai.networks.rnn import RNN
from keras_genai.networks.speech_encoder_decoder import SpeechEncoderDecoder
from keras_genai.networks.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from keras_genai.networks.t5 import T5
from keras_genai.networks.tabular import TabularAutoencoder, TabularDenoiser
from keras_genai.networks.tabular_copula import Copula
from keras_genai.networks.tcn import TCN
from keras_genai.networks.unet import UNet
from keras_genai.networks.vae import ConvolutionalAutoencoder, DenseAutoencoder
from keras_genai.networks.vision_encoder_decoder import VisionEncoderDecoder
from keras_genai.networks.vit import ViT
from keras_genai.networks.vqvae import QuantizedAutoencoder
from keras_genai.networks.wavenet import WaveNet
from keras_genai.networks.whisper import Whisper

VOCABULARY, LENGTH, SOURCE, SHAPE, CLASSES = 11, 5, 6, (8, 8, 1), 3
DRAWS = np.random.default_rng(0)


def ints(*shape, most=VOCABULARY):
    return DRAWS.integers(1, most, (ROWS, *shape)).astype("int32")


def pictures(*shape):
    return DRAWS.random((ROWS, *shape), "float32")


TOKENS, PICTURES, LABELS = ints(LENGTH), pictures(*SHAPE), np.arange(ROWS) % CLASSES
REAL = np.arange(SOURCE) < np.array([[4], [6], [1], [5]])
PAIR = ints(SOURCE), REAL, ints(LENGTH)
# What a generator of a class is called with, and a translator.
OF_CLASS = [pictures(4), {"labels": LABELS}]
TRANSLATED = [PICTURES, pictures(), {"condition": pictures(8, 8, 2)}]
SHAPES = {"image_shape": SHAPE, "condition_shape": (8, 8, 2)}
READ = {"tokens": ints(SOURCE), "tokens_mask": REAL}


def case(kind, *inputs, call=None, **settings):
    """Of a class, its fields, and what it is called with."""
    if call is None:
        return Case(
            lambda dtype: kind(dtype=dtype, **settings),
            list(inputs),
            lambda layer, inputs: layer(*inputs),
        )
    return Case(lambda dtype: kind(dtype=dtype, **settings), list(inputs), call)


def there_and_back(network, inputs):
    """What an autoencoder says of pictures, from the mean of their codes."""
    mean, log_variance = network.encode(*inputs)
    return mean, log_variance, network.decode(mean, *inputs[1:])


def by_latents(network, inputs):
    """What a codec makes of pictures without rounding: half precision rounds, too."""
    latents = network.encode(*inputs)
    return latents, network.decode(latents)


def by_mixtures(network, inputs):
    """Likewise, of codes that are mixed as probable as they are."""
    logits = network.encode(*inputs)
    return logits, network.decode(keras.ops.softmax(logits))


def row_and_back(network, inputs):
    """As `there_and_back`, of rows of a table."""
    mean, log_variance = network.encode(*inputs)
    numbers, log_scale, logits = network.decode(mean, *inputs[2:])
    return mean, log_variance, numbers * keras.ops.exp(log_scale), logits


NUMBERS = np.random.default_rng(2).normal(size=(ROWS, 2)).astype("float32")
CATEGORIES = np.tile(np.float32([[1, 0, 0, 0, 1]]), (ROWS, 1))
COLUMNS = {"numbers": 2, "categories": (3, 2), "num_classes": CLASSES}
# A picture, of whose rows none is padding, and what is said of it.
SEEN = 2 * PICTURES - 1, np.ones((ROWS, SHAPE[0]), bool), ints(LENGTH)
CONVOLVED = {"image_shape": SHAPE, "widths": (4, 8), "blocks": 1}
HALVES = {"encoder_depth": 1, "decoder_depth": 1, "width": 8, "num_heads": 2}
encoder_decoder = functools.partial(
    case,
    EncoderDecoder,
    *PAIR,
    vocabulary_size=VOCABULARY,
    context=8,
    inner_width=12,
    **HALVES,
)


def denoiser(kind, **settings):
    """A `Case` of a network that is told all it may be told."""
    told = {
        "labels": LABELS.astype("int32"),
        "tokens": TOKENS,
        "condition": 2 * pictures(8, 8, 2) - 1,
    }
    times = DRAWS.random(ROWS, "float32")
    return case(
        kind,
        2 * PICTURES - 1,
        times,
        told,
        sample_shape=SHAPE,
        num_classes=CLASSES,
        vocabulary_size=VOCABULARY,
        condition_shape=(8, 8, 2),
        **settings,
    )


CASES = {
    "TabularDenoiser": case(
        TabularDenoiser,
        NUMBERS,
        CATEGORIES,
        np.linspace(0, 1, ROWS, dtype="float32"),
        LABELS.astype("int32"),
        **COLUMNS,
        hidden=(8, 6),
        waves=4,
    ),
    "TabularAutoencoder": case(
        TabularAutoencoder,
        NUMBERS,
        CATEGORIES,
        LABELS.astype("int32"),
        call=row_and_back,
        **COLUMNS,
        hidden=(8, 6),
        latent_size=3,
    ),
    "Copula": case(
        Copula,
        np.random.default_rng(3).normal(size=(ROWS, 4)).astype("float32"),
        LABELS.astype("int32"),
        **COLUMNS,
    ),
    "WaveNet": case(
        WaveNet,
        np.arange(9 * ROWS, dtype="int32").reshape(ROWS, 9) % VOCABULARY,
        LABELS.astype("int32"),
        LABELS.astype("int32"),
        np.sin(np.arange(24.0 * ROWS, dtype="float32")).reshape(ROWS, 4, 6),
        num_codes=VOCABULARY,
        num_classes=CLASSES,
        num_speakers=CLASSES,
        bands=6,
        hop=3,
        moments=2,
        dilations=(1, 2),
        residual=4,
        gate=6,
        skip=4,
        embedding=4,
    ),
    "PixelCNN": case(
        PixelCNN,
        ints(4, 4, most=6),
        LABELS,
        num_codes=6,
        num_classes=CLASSES,
        width=8,
        depth=1,
    ),
    "ResidualEncoder": case(
        ResidualEncoder, 2 * PICTURES - 1, image_shape=SHAPE, widths=(4, 8)
    ),
    "ViT": case(
        ViT,
        2 * PICTURES - 1,
        image_shape=SHAPE,
        depth=1,
        width=8,
        num_heads=2,
        activation="quick_gelu",
    ),
    "QuantizedAutoencoder": case(
        QuantizedAutoencoder,
        PICTURES,
        image_shape=SHAPE,
        num_codes=6,
        latent_size=4,
        filters=(4, 4),
    ),
    "QuantizedAutoencoder of residual blocks": case(
        QuantizedAutoencoder,
        PICTURES,
        call=by_latents,
        image_shape=SHAPE,
        num_codes=6,
        latent_size=4,
        filters=(4,),
        residual_blocks=1,
    ),
    "DiscreteAutoencoder": case(
        DiscreteAutoencoder,
        PICTURES,
        call=by_mixtures,
        image_shape=SHAPE,
        num_codes=6,
        latent_size=4,
        filters=(4, 4),
    ),
    "EncoderDecoder": encoder_decoder(),
    "EncoderDecoder of BART": encoder_decoder(style=BART),
    "EncoderDecoder of Blenderbot": encoder_decoder(style=BLENDERBOT),
    "EncoderDecoder of Marian": encoder_decoder(
        style=dataclasses.replace(MARIAN, own_inputs=True),
        inputs_vocabulary_size=VOCABULARY + 2,
    ),
    "EncoderDecoder of M2M-100": encoder_decoder(style=M2M100),
    "RecurrentEncoderDecoder": case(
        RecurrentEncoderDecoder,
        *PAIR,
        vocabulary_size=VOCABULARY,
        embedding_dim=6,
        units=4,
        dropout=0.0,
    ),
    "RecurrentCaptioner": case(
        RecurrentCaptioner,
        *SEEN,
        vocabulary_size=VOCABULARY,
        embedding_dim=6,
        units=4,
        dropout=0.0,
        **CONVOLVED,
    ),
    "VisionEncoderDecoder": case(
        VisionEncoderDecoder,
        *SEEN,
        vocabulary_size=VOCABULARY,
        context=8,
        **CONVOLVED,
        **HALVES,
    ),
    "Whisper": case(
        Whisper,
        pictures(2 * SOURCE, 3),
        np.ones((ROWS, 2 * SOURCE), bool),
        ints(LENGTH),
        bands=3,
        vocabulary_size=VOCABULARY,
        sound_context=SOURCE,
        context=8,
        **HALVES,
    ),
    "T5": case(
        T5, *PAIR, vocabulary_size=VOCABULARY, head_dim=4, inner_width=12, **HALVES
    ),
    "DeepSpeech2": case(
        DeepSpeech2,
        pictures(9, 3),
        np.array([9, 7, 4, 8], "int32"),
        bands=3,
        vocabulary_size=VOCABULARY,
        filters=4,
        units=3,
        num_layers=1,
    ),
    "Matcha": case(
        Matcha,
        pictures(SOURCE, 3),
        np.linspace(0, 1, ROWS, dtype="float32"),
        pictures(SOURCE, 3),
        np.ones((ROWS, SOURCE, 1), "float32"),
        bands=3,
        vocabulary_size=VOCABULARY,
        depth=1,
        width=8,
        decoder_depth=1,
        decoder_width=8,
    ),
    "SpeechEncoderDecoder": case(
        SpeechEncoderDecoder,
        pictures(SOURCE, 3),
        *PAIR[1:],
        bands=3,
        vocabulary_size=VOCABULARY,
        context=8,
        decoder_depth=1,
        width=8,
        num_heads=2,
    ),
    "CycleGANGenerator": case(
        CycleGANGenerator, *TRANSLATED, **SHAPES, width=2, num_blocks=1
    ),
    "DCGANDiscriminator": case(
        DCGANDiscriminator, PICTURES, image_shape=SHAPE, width=2
    ),
    "DCGANDiscriminator of layers": case(
        DCGANDiscriminator, PICTURES, image_shape=SHAPE, width=2, norm="layer"
    ),
    "DCGANDiscriminator of classes": case(
        DCGANDiscriminator,
        PICTURES,
        OF_CLASS[1],
        image_shape=SHAPE,
        num_classes=CLASSES,
        width=2,
        norm="spectral",
    ),
    "DCGANGenerator": case(
        DCGANGenerator, OF_CLASS[0], image_shape=SHAPE, latent=4, width=2
    ),
    "DCGANGenerator of videos": case(
        DCGANGenerator,
        *OF_CLASS,
        image_shape=(4, *SHAPE),
        num_classes=CLASSES,
        latent=4,
        width=2,
    ),
    "PatchDiscriminator": case(
        PatchDiscriminator, PICTURES, TRANSLATED[2], **SHAPES, width=2
    ),
    "Pix2PixGenerator": case(
        Pix2PixGenerator, *TRANSLATED, **SHAPES, width=2, dropout=0.0
    ),
    "StyleGAN2Discriminator": case(
        StyleGAN2Discriminator,
        PICTURES,
        OF_CLASS[1],
        image_shape=SHAPE,
        num_classes=CLASSES,
        width=2,
    ),
    "StyleGAN2Generator": case(
        StyleGAN2Generator,
        *OF_CLASS,
        image_shape=SHAPE,
        num_classes=CLASSES,
        latent=4,
        width=2,
        mapping_depth=1,
    ),
    "GPT": case(
        GPT,
        TOKENS,
        vocabulary_size=VOCABULARY,
        context=8,
        depth=1,
        width=8,
        num_heads=2,
    ),
    "GPT of rows of texts": case(
        GPT,
        {
            "tokens": TOKENS,
            "segments": np.repeat([[1, 1, 2, 2, 0]], ROWS, axis=0).astype("int32"),
            "places": ints(3, most=LENGTH),
        },
        vocabulary_size=VOCABULARY,
        context=8,
        depth=1,
        width=8,
        num_heads=2,
    ),
    "GPT of distances and periods": case(
        GPT,
        TOKENS,
        vocabulary_size=VOCABULARY,
        context=8,
        depth=1,
        width=8,
        num_heads=2,
        style=Style(positions="relative"),
        periods=(2, 3),
    ),
    "TCN": case(TCN, pictures(LENGTH, 7), num_keys=7, depth=2, width=5, kernel_size=2),
    "RNN": case(
        RNN,
        TOKENS,
        vocabulary_size=VOCABULARY,
        embedding_dim=6,
        units=4,
        num_layers=1,
    ),
    "BERT": case(
        BERT,
        {**READ, "segments": ints(SOURCE, most=2)},
        vocabulary_size=VOCABULARY,
        context=8,
        depth=1,
        width=8,
        num_heads=2,
        has_pooler=True,
    ),
    "BERT of shared blocks and distances": case(
        BERT,
        READ,
        vocabulary_size=VOCABULARY,
        context=8,
        depth=2,
        width=8,
        num_heads=2,
        num_segments=None,
        has_pooler=True,
        style=BERTStyle(pad_token=1, num_buckets=4, embedding_width=6, num_groups=1),
    ),
    "ModernBERT": case(
        ModernBERT,
        READ,
        vocabulary_size=VOCABULARY,
        context=8,
        depth=2,
        width=8,
        num_heads=2,
        inner_width=6,
        has_pooler=True,
        style=ModernBERTStyle(window=1, local_blocks=(True, False), pooling="mean"),
    ),
    "RecurrentEncoder": case(
        RecurrentEncoder,
        READ,
        vocabulary_size=VOCABULARY,
        embedding_dim=4,
        units=3,
    ),
    "DiT": denoiser(DiT, patch=4, depth=1, width=8),
    "PointDenoiser": denoiser(
        PointDenoiser, depth=1, width=8, num_heads=2, num_tokens=3, frequencies=2
    ),
    "UNet": denoiser(UNet, width=8, multipliers=(1,), blocks=1, attention_at=(0,)),
    "DenseAutoencoder": case(
        DenseAutoencoder,
        PICTURES,
        LABELS,
        call=there_and_back,
        image_shape=SHAPE,
        output_channels=2,
        num_classes=CLASSES,
        latent_size=3,
        hidden=(9,),
    ),
    "ConvolutionalAutoencoder": case(
        ConvolutionalAutoencoder,
        PICTURES,
        call=there_and_back,
        image_shape=SHAPE,
        output_channels=1,
        latent_size=3,
        filters=(4, 4),
        hidden=5,
    ),
}
COUNTS = {"NGram"}  # has tables instead of weights; see tests/networks/test_ngram.py
BASES = {
    "Autoencoder",
    "DenoisingNetwork",
    "LanguageNetwork",
    "Network",
    "SequencePairNetwork",
    "TableNetwork",
    "TokenNetwork",
    "TwoStacks",
}
REFUSE_FLOAT16 = {"EncoderDecoder of Blenderbot", "T5"}


every_network = pytest.mark.parametrize("name", CASES)


def test_no_public_network_is_left_out():
    public = public_classes(networks, keras.layers.Layer)
    others = COUNTS | BASES
    assert {name.partition(" ")[0] for name in CASES} == set(public) - others


@every_network
def test_a_config_makes_one_of_the_same_config_and_weights(name):
    check_config_alone(CASES[name])


@pytest.mark.slow
@every_network
def test_it_comes_back_from_its_config(name):
    check_config(CASES[name])


@pytest.mark.slow
@every_network
def test_parts_take_its_policy(name):
    check_parts_take_the_policy(CASES[name])


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
@every_network
def test_it_computes_in_the_dtype_it_is_given(name, policy):
    if policy == "mixed_float16" and name in REFUSE_FLOAT16:
        pytest.skip("refuses float16")
    check_policy(CASES[name], policy)


@pytest.mark.slow
@every_network
def test_it_is_part_of_a_functional_model(name):
    check_symbolic(CASES[name])


@pytest.mark.slow
@every_network
def test_xla_computes_what_it_does_without(name):
    check_xla(CASES[name])


@pytest.mark.slow
@every_network
def test_it_is_saved_and_loaded_whole(name, tmp_path):
    check_file(CASES[name], tmp_path / "model.keras")
