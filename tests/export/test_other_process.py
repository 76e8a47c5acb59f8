"""A SavedModel gives the same texts and pictures in a process without this library."""

import dataclasses
import json
import subprocess
import sys

import numpy as np
import pytest

from keras_genai.data import tokenizers
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Label, Text
from keras_genai.networks.bert import BERT
from keras_genai.networks.encoder_decoder import EncoderDecoder
from keras_genai.networks.gpt import GPT, MODERN
from keras_genai.networks.pixelcnn import PixelCNN
from keras_genai.networks.rnn import RNN
from keras_genai.networks.unet import UNet
from keras_genai.networks.vae import DenseAutoencoder
from keras_genai.samplers.settings import GenerationSettings
from keras_genai.samplers.tokens import Greedy, Sample
from keras_genai.tasks.diffusion import Diffusion
from keras_genai.tasks.embedding import SentenceEmbedder
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.pixels import PixelModel
from keras_genai.tasks.seq2seq import Seq2SeqLM
from keras_genai.tasks.variational import VAE

pytestmark = pytest.mark.slow

# Calls endpoints of a SavedModel with arrays from a file, and saves what they say.
CALLER = """
import sys
sys.modules["keras_genai"] = sys.modules["keras"] = None  # neither can be imported
import json
import numpy as np
import tensorflow as tf
folder, calls = sys.argv[1:]
loaded = tf.saved_model.load(folder)
graph = loaded.signatures["generate"].graph.as_graph_def() if (
    "generate" in loaded.signatures) else None
if graph is not None:
    nodes = [node.op for part in graph.library.function for node in part.node_def]
    assert not [op for op in nodes if op.startswith("Xla")], nodes
found = {}
for number, (name, inputs) in enumerate(json.load(open(calls))):
    specs = loaded.signatures[name].structured_input_signature[1]
    tensors = {key: tf.constant(value, specs[key].dtype)
               for key, value in inputs.items()}
    for key, value in loaded.signatures[name](**tensors).items():
        found[f"{number}/{key}"] = value.numpy()
np.savez(folder + ".npz", **found)
"""


def elsewhere(model, folder, calls, **options):
    """What another process says to `calls`, a list of (endpoint, dict of arrays)."""
    model.export_to(folder, **options)
    path = folder.with_suffix(".json")
    plain = [
        (name, {key: np.asarray(value).tolist() for key, value in inputs.items()})
        for name, inputs in calls
    ]
    path.write_text(json.dumps(plain))
    subprocess.run(
        [sys.executable, "-I", "-c", CALLER, str(folder), str(path)],
        check=True,
        cwd=folder.parent,
    )
    found = np.load(f"{folder}.npz")
    return [
        {key.partition("/")[2]: found[key] for key in found if key.startswith(f"{n}/")}
        for n in range(len(calls))
    ]


def rows(found):
    """list of arrays: the tokens of each row."""
    pairs = zip(found["tokens"], found["lengths"], strict=True)
    return [tokens[:length] for tokens, length in pairs]


TOKENIZER = tokenizers.characters("abcdefgh", end_token="<end>")
SIZES = dict(vocabulary_size=9, context=24)
WAYS = {  # temperature, top-k, top-p
    (1.0, 0, 1.0): Sample(),
    (0.0, 0, 1.0): Greedy(),
    (0.7, 4, 1.0): Sample(0.7, top_k=4),
    (1.3, 0, 0.9): Sample(1.3, top_p=0.9),
    (1.0, 5, 0.8): Sample(top_k=5, top_p=0.8),
}


def gpt(style=MODERN):
    network = GPT(**SIZES, depth=2, width=16, num_heads=2, style=style)
    return CausalLM(network, Text(TOKENIZER))


def gru():
    return CausalLM(
        RNN(vocabulary_size=9, embedding_dim=8, units=12, num_layers=1, cell="gru"),
        Text(TOKENIZER),
    )


@pytest.mark.parametrize("make", [gpt, gru])
def test_a_language_model_writes_the_same_tokens_for_a_seed(make, tmp_path):
    model = make()
    prompts = [TOKENIZER.encode("abc"), TOKENIZER.encode("e")]
    tokens = np.zeros((2, 3), "int32")
    for place, prompt in zip(tokens, prompts, strict=True):
        place[: len(prompt)] = prompt
    calls, wanted = [], []
    for name in ("generate", "generate_xla"):
        for (temperature, top_k, top_p), sampler in WAYS.items():
            asked = dict(temperature=temperature, top_k=top_k, top_p=top_p, seed=2**40)
            given = dict(tokens=tokens, lengths=[3, 1], max_length=20)
            calls.append((name, {**given, **asked}))
            wanted.append(model.generate(prompts, 20, sampler, seed=2**40))
    found = elsewhere(model, tmp_path / "it", calls)
    for said, own in zip(found, wanted, strict=True):
        for row, other in zip(rows(said), own, strict=True):
            np.testing.assert_array_equal(row, other)
    assert len({row.tobytes() for said in found for row in rows(said)}) > 3
    assert (tmp_path / "it" / "tokenizer.json").exists()


def test_a_text_ends_where_the_positions_do(tmp_path):
    near = dataclasses.replace(MODERN, window=8, local_blocks=(True, False))
    model = gpt(near)  # the model itself keeps 8 tokens in some blocks
    asked = dict(temperature=0, top_k=0, top_p=1, seed=0)
    given = dict(tokens=[[1, 2]], lengths=[2], max_length=100)
    (found,) = elsewhere(model, tmp_path / "it", [("generate", {**given, **asked})])
    (row,) = rows(found)
    assert len(row) <= 24
    np.testing.assert_array_equal(
        row, model.generate([[1, 2]], 24, Greedy())[0][: len(row)]
    )


def test_an_encoder_decoder_answers_the_same_with_its_rules(tmp_path):
    network = EncoderDecoder(
        **SIZES, encoder_depth=1, decoder_depth=1, width=16, num_heads=2
    )
    settings = GenerationSettings(
        max_length=12, decoder_start_token=8, no_repeat_ngram_size=2, min_length=5
    )
    model = Seq2SeqLM(network, generation=settings)
    inputs, mask = [[1, 2, 3, 4], [5, 6, 0, 0]], [[1, 1, 1, 1], [1, 1, 0, 0]]
    calls = []
    for name in ("generate", "generate_xla"):
        for temperature in (0.0, 1.0):
            asked = dict(temperature=temperature, top_k=0, top_p=1, seed=3)
            given = dict(inputs=inputs, inputs_mask=mask, max_length=12)
            calls.append((name, {**given, **asked}))
    found = elsewhere(model, tmp_path / "it", calls)
    prompts, rules = [[1, 2, 3, 4], [5, 6]], settings.rules()
    samplers = 2 * [Greedy(rules), Sample(rules=rules)]
    for said, sampler in zip(found, samplers, strict=True):
        own = model.generate(prompts, 12, sampler, seed=3)
        for row, other in zip(rows(said), own, strict=True):
            np.testing.assert_array_equal(row, other)


def test_a_diffusion_model_draws_the_same_pictures_also_guided(tmp_path):
    network = UNet(width=8, multipliers=(1,), blocks=1)
    model = Diffusion(network, Image((8, 8, 1)), Label(3))
    for weight in model.trainable_variables:  # the last ones begin as zeros
        weight.assign(weight + 0.1)
    labels = np.array([2, 0, 1])
    calls = [
        ("generate", {"labels": labels, "seed": 4, "guidance": guidance})
        for guidance in (1.0, 2.5)
    ]
    found = elsewhere(model, tmp_path / "it", calls, steps=5)
    for said, guidance in zip(found, (1.0, 2.5), strict=True):
        own = model.generate(3, guidance, 5, seed=4, labels=labels, progress=False)
        np.testing.assert_allclose(said["images"], own, atol=1e-5)
    assert np.abs(found[0]["images"] - found[1]["images"]).max() > 1e-3


def test_a_vae_decodes_and_pixels_are_drawn_in_turn(tmp_path):
    model = VAE(DenseAutoencoder(latent_size=3, hidden=(9,)), Image((8, 8, 1)))
    latents = np.random.default_rng(0).normal(size=(4, 3)).astype("float32")
    calls = [
        ("generate_xla", {"count": 5, "seed": 9}),
        ("decode", {"latents": latents}),
    ]
    drawn, decoded = elsewhere(model, tmp_path / "vae", calls)
    np.testing.assert_allclose(drawn["images"], model.generate(5, seed=9), atol=1e-5)
    assert decoded["images"].shape == (4, 8, 8, 1)
    pixels = PixelModel(PixelCNN(width=8, depth=1), Image((6, 6, 1)), Label(3))
    (found,) = elsewhere(
        pixels, tmp_path / "pixels", [("generate", {"labels": [1, 2], "seed": 2**33})]
    )
    own = pixels.generate(2, labels=[1, 2], seed=2**33)
    np.testing.assert_array_equal(found["images"], own)


def test_an_encoder_embeds(tmp_path):
    network = BERT(vocabulary_size=9, context=8, depth=1, width=8, num_heads=2)
    model = SentenceEmbedder(network)
    tokens = np.array([[1, 2, 3], [4, 5, 0]], "int32")
    mask = np.array([[1, 1, 1], [1, 1, 0]], "int32")
    batch = {"tokens": tokens, "tokens_mask": mask, "segments": 0 * mask}
    (found,) = elsewhere(model, tmp_path / "it", [("embed", batch)])
    np.testing.assert_allclose(found["output_0"], model(batch), atol=1e-6)
