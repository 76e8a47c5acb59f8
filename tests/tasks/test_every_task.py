"""Every task keeps what all tasks promise; see `tests/harness.py`."""

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
    check_training,
    check_xla,
    public_classes,
)

from keras_genai import registry, tasks
from keras_genai.data.turns import CHATML
from keras_genai.losses import GradientPenalty, Hinge, Wasserstein
from keras_genai.modalities.audio import Audio
from keras_genai.modalities.image import Image, Video
from keras_genai.modalities.mel import Mel
from keras_genai.modalities.notes import Notes
from keras_genai.modalities.number import Number
from keras_genai.modalities.points import Points
from keras_genai.modalities.speaker import Speaker
from keras_genai.modalities.speech import Speech
from keras_genai.modalities.table import Table
from keras_genai.modalities.text import Label, Text
from keras_genai.networks.bert import BERT
from keras_genai.networks.cyclegan import CycleGANGenerator
from keras_genai.networks.dcgan import DCGANDiscriminator, DCGANGenerator
from keras_genai.networks.deep_speech import DeepSpeech2
from keras_genai.networks.dit import DiT
from keras_genai.networks.dvae import DiscreteAutoencoder
from keras_genai.networks.encoder_decoder import BART, BLENDERBOT, EncoderDecoder
from keras_genai.networks.gpt import GPT
from keras_genai.networks.matcha import Matcha
from keras_genai.networks.patchgan import PatchDiscriminator
from keras_genai.networks.pix2pix import Pix2PixGenerator
from keras_genai.networks.pixelcnn import PixelCNN
from keras_genai.networks.point_denoiser import PointDenoiser
from keras_genai.networks.recurrent_captioner import RecurrentCaptioner
from keras_genai.networks.recurrent_encoder_decoder import RecurrentEncoderDecoder
from keras_genai.networks.residual_encoder import ResidualEncoder
from keras_genai.networks.rnn import RNN
from keras_genai.networks.speech_encoder_decoder import SpeechEncoderDecoder
from keras_genai.networks.stylegan2 import StyleGAN2Discriminator, StyleGAN2Generator
from keras_genai.networks.t5 import T5
from keras_genai.networks.tabular import TabularAutoencoder, TabularDenoiser
from keras_genai.networks.tcn import TCN
from keras_genai.networks.unet import UNet
from keras_genai.networks.vae import DenseAutoencoder
from keras_genai.networks.vqvae import QuantizedAutoencoder
from keras_genai.networks.wavenet import WaveNet
from keras_genai.networks.whisper import Whisper
from keras_genai.preferences import Sigmoid
from keras_genai.tasks.advantages import GAE, Exponential, LeaveOneOut
from keras_genai.tasks.answering import QuestionAnswering
from keras_genai.tasks.chords import ChordModel
from keras_genai.tasks.classification import SequenceClassifier
from keras_genai.tasks.codec import VQVAE
from keras_genai.tasks.contrastive import Contrastive
from keras_genai.tasks.dalle import DALLE
from keras_genai.tasks.diffusion import Diffusion
from keras_genai.tasks.diffusion_tuning import DiffusionTuning
from keras_genai.tasks.dvae import DVAE
from keras_genai.tasks.embedding import SentenceEmbedder
from keras_genai.tasks.features import FeatureExtractor
from keras_genai.tasks.gan import GAN
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.masked import MaskedLM
from keras_genai.tasks.paired import Pix2Pix
from keras_genai.tasks.pixels import PixelModel
from keras_genai.tasks.policy import PolicyTuning
from keras_genai.tasks.preference import PreferenceTuning
from keras_genai.tasks.prior import GridPrior, SequencePrior
from keras_genai.tasks.reward import RewardModel
from keras_genai.tasks.reward_weighted import RewardWeightedRegression
from keras_genai.tasks.rollout_settings import RolloutSettings
from keras_genai.tasks.seq2seq import Seq2SeqLM
from keras_genai.tasks.speech import SpeechSeq2SeqLM
from keras_genai.tasks.stylegan import StyleGAN
from keras_genai.tasks.table_diffusion import TableDiffusion
from keras_genai.tasks.table_vae import TableVAE
from keras_genai.tasks.tagging import TokenClassifier
from keras_genai.tasks.text_to_speech import TextToSpeech
from keras_genai.tasks.trajectory_settings import TrajectorySettings
from keras_genai.tasks.transcription import CTC
from keras_genai.tasks.truncated import TruncatedLM
from keras_genai.tasks.unpaired import CycleGAN
from keras_genai.tasks.variational import VAE
from keras_genai.tasks.voices import NoteLM
from keras_genai.tasks.waveform import WaveformModel

VOCABULARY, LENGTH, SOURCE, SHAPE, CLASSES, CODES = 11, 5, 6, (8, 8, 1), 3, 6
DRAWS = np.random.default_rng(0)
CROSS_ENTROPY = keras.losses.SparseCategoricalCrossentropy(from_logits=True)


def ints(*shape, most=VOCABULARY):
    return DRAWS.integers(1, most, (ROWS, *shape)).astype("int32")


def pictures(*shape):
    return DRAWS.random((ROWS, *shape), "float32")


TOKENS, TARGETS = ints(LENGTH), ints(LENGTH)
REAL = np.arange(SOURCE) < np.array([[4], [6], [1], [5]])
BANDS, FRAMES = 3, 9
MEL = Mel(8_000, 64, 32, BANDS)
HEARD = np.array([9, 7, 4, 8], "int32")
PAIR = {"inputs": ints(SOURCE), "inputs_mask": REAL, "targets": TOKENS}
PICTURES = {"images": pictures(*SHAPE)}
LABELLED = {**PICTURES, "labels": np.arange(ROWS) % CLASSES}
TRANSLATED = {**PICTURES, "condition": pictures(*SHAPE)}
TEXT, IMAGE, LABEL = Text(vocabulary_size=VOCABULARY), Image(SHAPE), Label(CLASSES)


def case(
    task,
    make,
    *kinds,
    inputs,
    targets=None,
    draws=False,
    loss=None,
    idle="",
    **settings,
):
    """Of a task.

    Args:
        task: its class.
        make: function of a dtype policy that returns its networks, in order.
        *kinds: its modalities, in order.
        inputs, targets, draws, loss, idle: see `Case`; with targets, the loss is the
            cross-entropy if there is no other.
        **settings: other fields of the task.
    """
    loss = CROSS_ENTROPY if targets is not None and loss is None else loss
    return Case(
        lambda dtype: task(*make(dtype), *kinds, dtype=dtype, **settings),
        inputs,
        draws=draws,
        targets=targets,
        loss=loss,
        idle=idle,
    )


def of(kind, **settings):
    """Function of a dtype policy: a list of one network, to be completed."""
    return lambda dtype: [kind(dtype=dtype, **settings)]


def rivals(generator, discriminator, latent=4, **settings):
    """Function of a dtype policy: a generator and its discriminator."""
    return lambda dtype: [
        generator(latent=latent, width=2, dtype=dtype),
        discriminator(width=2, dtype=dtype, **settings),
    ]


def translators(dtype):
    make = functools.partial(CycleGANGenerator, width=2, num_blocks=1, dtype=dtype)
    judge = functools.partial(PatchDiscriminator, width=2, dtype=dtype)
    return [make(), make(), judge(), judge()]


def pix2pix(dtype):
    generator = Pix2PixGenerator(width=2, dropout=0.0, dtype=dtype)
    return [generator, PatchDiscriminator(width=2, dtype=dtype)]


dcgan = functools.partial(rivals, DCGANGenerator, DCGANDiscriminator)
SOURCE_IMAGE = Image(SHAPE, "condition")
NOISE = {"inputs": {**LABELLED, "tokens": TOKENS}, "draws": True}
gpt = functools.partial(of, GPT, context=8, depth=1, width=8, num_heads=2)
rnn = functools.partial(of, RNN, embedding_dim=6, units=4, num_layers=1)
HALVES = {"encoder_depth": 1, "decoder_depth": 1, "width": 8, "num_heads": 2}
encoder_decoder = functools.partial(
    of, EncoderDecoder, context=8, inner_width=12, **HALVES
)


def seq2seq(make):
    """Of `Seq2SeqLM`, with the network that a function makes."""
    return case(Seq2SeqLM, make, TEXT, inputs=PAIR, targets=TARGETS)


bert = functools.partial(of, BERT, context=8, depth=1, width=8, num_heads=2)
COLUMNS = np.arange(ROWS) % 2
READ = {
    "tokens": ints(SOURCE),
    "tokens_mask": np.arange(SOURCE) < np.array([[6], [2], [4], [3]]),
    "segments": ints(SOURCE, most=2),
}


def codec(dtype):
    network = QuantizedAutoencoder(
        num_codes=CODES, latent_size=4, filters=(4, 4), dtype=dtype
    )
    return VQVAE(network, IMAGE)


def prior(kind, **settings):
    """Function of a dtype policy: a network of codes, and their codec."""
    return lambda dtype: [kind(dtype=dtype, **settings), codec(dtype)]


def aligned(task, make):
    """Function of a dtype policy: a policy, a loss, and another model to compare."""

    def models(dtype):
        policy, reference = (task(*make(dtype), TEXT, dtype=dtype) for _ in range(2))
        return [policy, Sigmoid(), reference]

    return models


CHOICES = {
    "tokens": ints(2, LENGTH),
    "completion_mask": np.arange(3) < np.array([[[3], [1]], [[2], [3]]] * 2),
}


@registry.register
class Brevity:
    """A reward that a file can name."""

    def get_config(self):
        return {}

    def __call__(self, prompts, completions):
        return [-len(each) for each in completions]


@registry.register
class Brightness:
    """A reward of pictures that a file can name."""

    def get_config(self):
        return {}

    def __call__(self, images):
        return images.mean(axis=(1, 2, 3))


def policy(dtype):
    """A `CausalLM`, and what it is rewarded for."""
    return [CausalLM(*gpt()(dtype), TEXT), Brevity()]


def painter(dtype):
    """A `Diffusion`, and what it is rewarded for."""
    network = DiT(patch=4, depth=1, width=8, dtype=dtype)
    return [Diffusion(network, IMAGE, LABEL, dtype=dtype), Brightness()]


def rewarded(task, advantages, **more):
    """Of a task that learns from rewards of pictures."""
    rollouts = TrajectorySettings(ROWS, steps=3)
    rows = np.arange(ROWS, dtype="int32")
    given = {"advantages": advantages, "rollouts": rollouts, "inputs": rows}
    return case(task, painter, **given, **more)


PITCHES = np.where(DRAWS.random((ROWS, 4, 2)) < 0.2, 0, ints(4, 2, most=9) + 60)
PITCHES[1, 3] = -1  # beyond the end
MUSIC = Notes(2, 4, lowest=61, highest=68)
LOUDNESS = np.random.default_rng(1)
WAVES = {
    "waves": LOUDNESS.uniform(-1, 1, (ROWS, 12)).astype("float32"),
    "samples": np.array([12, 9, 12, 5], "int32"),
    "starts": np.array([0, 0, 7, 0], "int32"),
    "labels": np.arange(ROWS, dtype="int32") % CLASSES,
    "speakers": np.arange(ROWS, dtype="int32") % 2,
    "mels": LOUDNESS.normal(0, 1, (ROWS, 4, 6)).astype("float32"),
    "frames": np.array([4, 3, 4, 2], "int32"),
}
PEOPLE = {
    "age": [30, None, 50, 41],
    "income": [1.5, 2.0, 9.5, 3.0],
    "town": ["Ulm", "Bonn", "", "Ulm"],
    "married": ["yes", "no", "no", "yes"],
}
TABLE = Table.of(PEOPLE, target="married")
ROWS_OF_TABLE = TABLE.batch(TABLE.read(PEOPLE))
CASES = {
    "NoteLM": case(
        NoteLM,
        of(GPT, depth=1, width=8, num_heads=2, periods=(2,)),
        MUSIC,
        inputs={"notes": PITCHES.astype("int32")},
    ),
    "ChordModel": case(
        ChordModel,
        of(TCN, depth=1, width=6, kernel_size=2),
        MUSIC,
        inputs={"notes": PITCHES.astype("int32")},
    ),
    "WaveformModel": case(
        WaveformModel,
        of(WaveNet, dilations=(1, 2), residual=4, gate=6, skip=4, embedding=4),
        Audio(8_000, cropped=True),
        (LABEL, Speaker(2), Mel(8_000, 6, 4, 6)),
        inputs=WAVES,
    ),
    "TableDiffusion": case(
        TableDiffusion,
        of(TabularDenoiser, hidden=(8, 6), waves=4),
        TABLE,
        inputs=ROWS_OF_TABLE,
        draws=True,
    ),
    "TableVAE": case(
        TableVAE,
        of(TabularAutoencoder, hidden=(8, 6), latent_size=3),
        TABLE,
        inputs=ROWS_OF_TABLE,
        draws=True,
    ),
    "DiffusionTuning": rewarded(DiffusionTuning, LeaveOneOut(2)),
    "RewardWeightedRegression": rewarded(
        RewardWeightedRegression, Exponential(group=2), draws=True
    ),
    "PolicyTuning": case(
        PolicyTuning,
        policy,
        advantages=GAE(),
        rollouts=RolloutSettings(completions=ROWS, prompt_length=2, length=3),
        inputs=np.arange(ROWS, dtype="int32"),
    ),
    "GridPrior": case(
        GridPrior, prior(PixelCNN, width=8, depth=1), LABEL, inputs=LABELLED
    ),
    "PixelModel": case(
        PixelModel, of(PixelCNN, width=8, depth=1), IMAGE, LABEL, inputs=LABELLED
    ),
    "SequencePrior": case(
        SequencePrior,
        prior(GPT, context=4, depth=1, width=8, num_heads=2),
        LABEL,
        inputs=LABELLED,
    ),
    "DALLE": case(
        DALLE,
        prior(GPT, depth=1, width=8, num_heads=2),
        given=Text(vocabulary_size=VOCABULARY, length=LENGTH),
        inputs={**PICTURES, "tokens": TOKENS},
    ),
    "VQVAE": Case(codec, PICTURES),
    "DVAE": case(
        DVAE,
        of(DiscreteAutoencoder, num_codes=CODES, latent_size=4, filters=(4,)),
        IMAGE,
        inputs=PICTURES,
    ),
    "Seq2SeqLM": seq2seq(encoder_decoder()),
    "Seq2SeqLM of BART": seq2seq(encoder_decoder(style=BART)),
    "Seq2SeqLM of Blenderbot": seq2seq(encoder_decoder(style=BLENDERBOT)),
    "Seq2SeqLM of RecurrentEncoderDecoder": seq2seq(
        of(RecurrentEncoderDecoder, embedding_dim=6, units=4, dropout=0.0)
    ),
    "Seq2SeqLM of T5": seq2seq(of(T5, head_dim=4, inner_width=12, **HALVES)),
    "Seq2SeqLM of pictures": case(
        Seq2SeqLM,
        of(RecurrentCaptioner, widths=(4, 8), blocks=1, units=4, dropout=0.0),
        TEXT,
        IMAGE,
        inputs={
            "inputs": PICTURES["images"],
            "inputs_mask": np.ones((ROWS, SHAPE[0]), bool),
            "targets": TOKENS,
        },
        targets=TARGETS,
    ),
    "Seq2SeqLM of sounds": case(
        Seq2SeqLM,
        of(SpeechEncoderDecoder, context=8, decoder_depth=1, width=8, num_heads=2),
        TEXT,
        MEL,
        inputs={
            "inputs": pictures(FRAMES, BANDS),
            "inputs_mask": np.arange(FRAMES) < HEARD[:, None],
            "targets": TOKENS,
        },
        targets=TARGETS,
    ),
    "SpeechSeq2SeqLM": case(
        SpeechSeq2SeqLM,
        of(Whisper, sound_context=SOURCE, context=8, **HALVES),
        TEXT,
        dataclasses.replace(MEL, length=2 * SOURCE),
        inputs={
            "inputs": pictures(2 * SOURCE, BANDS),
            "inputs_mask": np.ones((ROWS, 2 * SOURCE), bool),
            "targets": TOKENS,
        },
        targets=TARGETS,
    ),
    "CTC": case(
        CTC,
        of(DeepSpeech2, filters=4, units=3, num_layers=1, dropout=0.0),
        TEXT,
        MEL,
        inputs={
            "mels": pictures(FRAMES, BANDS),
            "frames": HEARD,
            "tokens": ints(2),
        },
    ),
    "TextToSpeech": case(
        TextToSpeech,
        of(Matcha, depth=1, width=8, decoder_depth=1, decoder_width=8, dropout=0.0),
        Speech(8_000, 64, 32, BANDS),
        Text(vocabulary_size=VOCABULARY, length=2),
        inputs={
            "mels": pictures(FRAMES, BANDS),
            "frames": HEARD,
            "tokens": ints(2),
        },
        draws=True,
    ),
    "CausalLM": case(CausalLM, gpt(), TEXT, inputs=TOKENS, targets=TARGETS),
    "CausalLM of conversations": case(
        CausalLM,
        gpt(),
        TEXT,
        turns=CHATML,
        inputs={
            "tokens": TOKENS,
            "segments": np.repeat([[1, 1, 2, 2, 0]], ROWS, axis=0).astype("int32"),
            "places": ints(3, most=LENGTH),
        },
        targets=ints(3),
    ),
    "CycleGAN": case(
        CycleGAN, translators, IMAGE, SOURCE_IMAGE, pool_size=6, inputs=TRANSLATED
    ),
    "GAN": case(GAN, dcgan(), IMAGE, LABEL, inputs=LABELLED, draws=True),
    "GAN of videos": case(
        functools.partial(GAN, loss=Hinge()),
        dcgan(norm="spectral"),
        Video((4, *SHAPE)),
        inputs={"images": pictures(4, *SHAPE)},
        draws=True,
    ),
    "GAN with a penalty": case(
        functools.partial(GAN, loss=Wasserstein(), penalty=GradientPenalty()),
        dcgan(norm="layer"),
        IMAGE,
        inputs=PICTURES,
        draws=True,
    ),
    "Pix2Pix": case(Pix2Pix, pix2pix, IMAGE, SOURCE_IMAGE, inputs=TRANSLATED),
    "StyleGAN": case(
        StyleGAN,
        rivals(StyleGAN2Generator, StyleGAN2Discriminator),
        IMAGE,
        LABEL,
        inputs=LABELLED,
        draws=True,
    ),
    "TruncatedLM": case(TruncatedLM, rnn(), TEXT, inputs=TOKENS, targets=TARGETS),
    "FeatureExtractor": case(
        FeatureExtractor,
        bert(),
        TEXT,
        inputs=READ,
        targets={"hidden": pictures(SOURCE, 8), "pooled": pictures(8)},
        loss="mse",
    ),
    "MaskedLM": case(
        MaskedLM,
        bert(),
        TEXT,
        inputs={**READ, "places": ints(2, most=SOURCE)},
        targets=ints(2),
    ),
    "QuestionAnswering": case(
        QuestionAnswering,
        bert(),
        TEXT,
        inputs=READ,
        targets={"start": COLUMNS, "end": COLUMNS + 1},
        loss={"start": CROSS_ENTROPY, "end": CROSS_ENTROPY},
        # It is the same at all places, among which the answer is one.
        idle="feedforward_norm/beta",
    ),
    "PreferenceTuning": case(
        PreferenceTuning,
        aligned(CausalLM, gpt()),
        inputs={**CHOICES, "prompt_lengths": np.array([1, 2, 2, 1])},
    ),
    "PreferenceTuning of Seq2SeqLM": case(
        PreferenceTuning,
        aligned(Seq2SeqLM, encoder_decoder()),
        inputs={**CHOICES, "inputs": PAIR["inputs"], "inputs_mask": REAL},
    ),
    "RewardModel": case(
        RewardModel,
        bert(),
        given=TEXT,
        centering=0.01,
        inputs={key: np.stack([each, each[::-1]], 1) for key, each in READ.items()},
    ),
    "SentenceEmbedder": case(
        SentenceEmbedder,
        bert(),
        TEXT,
        inputs=READ,
        targets=pictures(7),
        loss="mse",
        dense=((7, "tanh", True),),
    ),
    "SequenceClassifier": case(
        SequenceClassifier,
        bert(),
        Label(2),
        TEXT,
        inputs=READ,
        targets=COLUMNS,
    ),
    "SequenceClassifier of a GPT": case(
        SequenceClassifier,
        gpt(),
        Number(),
        TEXT,
        inputs=READ,
        targets=pictures(1),
        loss="mse",
    ),
    "TokenClassifier": case(
        TokenClassifier,
        bert(),
        Label(2),
        TEXT,
        inputs=READ,
        targets=ints(SOURCE, most=2),
    ),
    "Contrastive": case(
        Contrastive,
        lambda dtype: [
            ResidualEncoder(widths=(4, 8), dtype=dtype),
            GPT(depth=1, width=8, num_heads=2, dtype=dtype),
        ],
        IMAGE,
        Text(vocabulary_size=VOCABULARY, length=LENGTH),
        inputs={**PICTURES, "tokens": TOKENS},
        embedding_size=4,
    ),
    "Diffusion": case(
        Diffusion, of(DiT, patch=4, depth=1, width=8), IMAGE, LABEL, **NOISE
    ),
    "Diffusion of a U-Net": case(
        Diffusion,
        of(UNet, width=8, multipliers=(1,), blocks=1, attention_at=(0,)),
        IMAGE,
        (LABEL, Text(vocabulary_size=VOCABULARY, length=LENGTH)),
        **NOISE,
    ),
    "Diffusion of points": case(
        Diffusion,
        of(PointDenoiser, depth=1, width=8, num_heads=2, num_tokens=3),
        Points(6),
        LABEL,
        inputs={"points": pictures(6, 3), "labels": LABELLED["labels"]},
        draws=True,
    ),
    "VAE": case(
        VAE,
        of(DenseAutoencoder, latent_size=3, hidden=(9,)),
        IMAGE,
        LABEL,
        inputs=LABELLED,
        draws=True,
    ),
}
# Have tables instead of weights; see test_counting.py and test_tables.py.
COUNTS = {"CountingLM", "GaussianCopula"}
BASES = {
    "AdversarialTask",
    "CodeModel",
    "CodePrior",
    "LogitsTask",
    "PictureCodec",
    "PictureTask",
    "PictureTuning",
    "PolicyGradient",
    "RolloutTuning",
    "SampleTask",
    "TableTask",
    "Task",
    "TwoOptimizerTask",
    "LabellingTask",
    "TextTask",
    "Tuning",
}
EXPORTED = {"Denoiser"}  # made for a file of what runs without this library
# Tasks whose policy makes what they learn from; they have tests of their own.
WRITE_FIRST = {"DiffusionTuning", "PolicyTuning", "RewardWeightedRegression"}
REFUSE_FLOAT16 = WRITE_FIRST | {"Seq2SeqLM of Blenderbot", "Seq2SeqLM of T5"}
# Two networks that learn from each other have tests of their own.
RIVALS = {"CycleGAN", "GAN", "Pix2Pix", "StyleGAN"}
LEARNING = [
    name for name in CASES if name.partition(" ")[0] not in RIVALS | WRITE_FIRST
]


every_task = pytest.mark.parametrize("name", CASES)


def test_no_public_task_is_left_out():
    public = public_classes(tasks, keras.layers.Layer)
    assert {name.partition(" ")[0] for name in CASES} == set(
        public
    ) - COUNTS - BASES - EXPORTED


@every_task
def test_a_config_makes_one_of_the_same_config_and_weights(name):
    check_config_alone(CASES[name])


@pytest.mark.slow
@every_task
def test_it_comes_back_from_its_config(name):
    check_config(CASES[name])


@pytest.mark.slow
@every_task
def test_parts_take_its_policy(name):
    check_parts_take_the_policy(CASES[name])


@pytest.mark.slow
@pytest.mark.parametrize("policy", POLICIES)
@every_task
def test_it_computes_in_the_dtype_it_is_given(name, policy):
    if policy == "mixed_float16" and name in REFUSE_FLOAT16:
        pytest.skip("refuses float16")
    check_policy(CASES[name], policy)


@pytest.mark.slow
@every_task
def test_it_is_part_of_a_functional_model(name):
    check_symbolic(CASES[name])


@pytest.mark.slow
@every_task
def test_xla_computes_what_it_does_without(name):
    check_xla(CASES[name])


@pytest.mark.slow
@every_task
def test_it_is_saved_and_loaded_whole(name, tmp_path):
    check_file(CASES[name], tmp_path / "model.keras")


@pytest.mark.slow
@pytest.mark.parametrize("name", LEARNING)
def test_every_weight_that_trains_moves(name):
    check_training(CASES[name])
