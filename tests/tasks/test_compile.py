"""An optimizer is all that a task must be told; what else is said counts."""

import keras
import pytest
from gans import dcgan

import keras_genai as kg
from keras_genai.networks.encoder_decoder import EncoderDecoder
from keras_genai.networks.gpt import GPT
from keras_genai.networks.recurrent_encoder_decoder import RecurrentEncoderDecoder
from keras_genai.networks.rnn import RNN
from keras_genai.networks.t5 import T5
from keras_genai.tasks.truncated import TruncatedLM

IMAGE = kg.modalities.Image((8, 8, 1))


def bert():
    return kg.networks.BERT(
        vocabulary_size=11, context=8, depth=1, width=8, num_heads=2
    )


HALVES = {
    "encoder_depth": 1,
    "decoder_depth": 1,
    "width": 8,
    "num_heads": 2,
    "inner_width": 8,
}


def rewriter(network, **settings):
    return kg.tasks.Seq2SeqLM(network(vocabulary_size=11, **settings))


def gpt():
    return GPT(vocabulary_size=11, context=8, depth=1, width=8, num_heads=2)


def rnn():
    return RNN(vocabulary_size=11, embedding_dim=8, units=8, num_layers=1)


TASKS = {
    "CausalLM": lambda: kg.tasks.CausalLM(gpt()),
    "TruncatedLM": lambda: TruncatedLM(rnn(), lanes=3),
    "RecurrentEncoderDecoder": lambda: rewriter(
        RecurrentEncoderDecoder, embedding_dim=8, units=8
    ),
    "EncoderDecoder": lambda: rewriter(EncoderDecoder, context=8, **HALVES),
    "T5": lambda: rewriter(T5, head_dim=4, **HALVES),
    "MaskedLM": lambda: kg.tasks.MaskedLM(bert()),
    "SequenceClassifier": lambda: kg.tasks.SequenceClassifier(bert()),
    "value": lambda: kg.tasks.SequenceClassifier(bert(), kg.modalities.Number()),
    "TokenClassifier": lambda: kg.tasks.TokenClassifier(bert()),
    "QuestionAnswering": lambda: kg.tasks.QuestionAnswering(bert()),
    "SentenceEmbedder": lambda: kg.tasks.SentenceEmbedder(bert()),
    "VAE": lambda: kg.tasks.VAE(
        kg.networks.DenseAutoencoder(latent_size=2, hidden=(8,)), IMAGE
    ),
    "Diffusion": lambda: kg.tasks.Diffusion(
        kg.networks.UNet(width=8, multipliers=(1, 2), blocks=1), IMAGE
    ),
    "PixelModel": lambda: kg.tasks.PixelModel(
        kg.networks.PixelCNN(width=8, depth=1), IMAGE, levels=4
    ),
    "GAN": lambda: dcgan(IMAGE.shape, latent=4, width=8),
}


@pytest.mark.parametrize("name", TASKS)
def test_an_optimizer_is_enough_and_comes_back_with_the_loss(name):
    model = TASKS[name]()
    model.compile("adamw")
    again = TASKS[name]()
    again.compile_from_config(model.get_compile_config())
    assert again.compiled
    assert isinstance(again.loss, type(model.loss))
    assert type(again.optimizer) is type(model.optimizer)
    if isinstance(model, kg.tasks.LogitsTask):
        assert again.loss.get_config() == model.default_loss().get_config()


@pytest.mark.parametrize("name", ["CausalLM", "EncoderDecoder", "MaskedLM", "value"])
def test_a_loss_that_is_named_wins_and_comes_back(name):
    model = TASKS[name]()
    model.compile("adamw", keras.losses.CategoricalCrossentropy(from_logits=True))
    again = TASKS[name]()
    again.compile_from_config(model.get_compile_config())
    assert isinstance(again.loss, keras.losses.CategoricalCrossentropy)
    assert again.loss.get_config()["from_logits"]


def test_a_class_opens_its_own_presets_and_refuses_others(tmp_path):
    folder = tmp_path / "preset"
    TASKS["CausalLM"]().save_to_preset(folder)
    for cls in (kg.tasks.CausalLM, kg.tasks.LogitsTask, kg.tasks.Task):
        assert type(cls.from_preset(folder, dropout=0.5)) is kg.tasks.CausalLM
    message = "`folder` must be the preset of a VAE. Received: .*, that of a CausalLM"
    with pytest.raises(kg.tasks.PresetError, match=message):
        kg.tasks.VAE.from_preset(folder)
