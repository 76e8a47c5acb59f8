"""LiteRT and ONNX Runtime say what the model says, or one line says why not."""

import numpy as np
import pytest

from keras_genai.data import tokenizers
from keras_genai.export import onnx_file
from keras_genai.export.comparing import ExportError
from keras_genai.export.stepping import follow, step
from keras_genai.modalities.image import Image
from keras_genai.modalities.text import Text
from keras_genai.networks.gpt import GPT, GPT2
from keras_genai.networks.rnn import RNN
from keras_genai.networks.vae import DenseAutoencoder
from keras_genai.samplers.tokens import Greedy
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.variational import VAE

pytestmark = pytest.mark.slow

TOKENIZER = tokenizers.characters("abcdefgh")


def gpt():
    sizes = dict(vocabulary_size=8, context=24, depth=2, width=16, num_heads=2)
    return CausalLM(GPT(**sizes, style=GPT2), Text(TOKENIZER))


def lstm():
    sizes = dict(vocabulary_size=8, embedding_dim=8, units=12, num_layers=1)
    return CausalLM(RNN(**sizes), Text(TOKENIZER))


def vae():
    return VAE(DenseAutoencoder(latent_size=3, hidden=(9,)), Image((8, 8, 1)))


@pytest.mark.parametrize("make", [gpt, lstm])
def test_litert_writes_the_same_text_step_by_step(make, tmp_path):
    runtime = pytest.importorskip("ai_edge_litert.interpreter")
    model = make()
    model.jit_generate = False
    made = model.export_to(tmp_path / "it.tflite", "litert")
    assert any(line.startswith("generate is left out") for line in made.lines)
    assert (tmp_path / "it.tokenizer.json").exists()
    run = runtime.Interpreter(str(made.path)).get_signature_runner("step")
    text = TOKENIZER.encode("abc").tolist()
    begun, wanted = len(text), model.generate([text], 20, Greedy())[0].tolist()

    def tokens():
        for index in range(19):
            yield text[index]

    for logits in follow(step(model), lambda said: run(**said), tokens()):
        begun -= 1
        if begun <= 0:
            text.append(int(logits.argmax()))
    assert text == wanted


def test_onnx_holds_a_function_and_refuses_those_that_draw(tmp_path):
    runtime = pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    model = gpt()
    made = model.export_to(tmp_path / "it.onnx", "onnx")
    session = runtime.InferenceSession(str(made.path))
    tokens = np.array([[1, 2, 3, 4], [5, 6, 7, 0], [1, 1, 1, 1]], "int32")
    (found,) = session.run(None, {session.get_inputs()[0].name: tokens})
    np.testing.assert_allclose(found, model(tokens), atol=1e-4)
    with pytest.raises(ValueError, match="`endpoint` must be one of serving_default"):
        model.export_to(tmp_path / "it.onnx", "onnx", endpoint="generate")
    made = vae().export_to(tmp_path / "vae.onnx", "onnx")
    assert made.lines == ("serving_default(latents float32[?, 3])",)


def test_onnx_that_does_not_run_is_removed(tmp_path):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    with pytest.raises(ExportError, match=r"cannot become ONNX: .*while"):
        lstm().export_to(tmp_path / "it.onnx", "onnx")
    assert not [*tmp_path.iterdir()]


def test_onnx_that_says_something_else_is_removed(tmp_path, monkeypatch):
    pytest.importorskip("onnxruntime")
    pytest.importorskip("tf2onnx")
    monkeypatch.setattr(
        onnx_file,
        "_ask",
        lambda runtime, endpoint, *_: {
            name: value + 1
            for name, value in endpoint.expected(endpoint.example).items()
        },
    )
    with pytest.raises(ExportError, match="gives another"):
        vae().export_to(tmp_path / "it.onnx", "onnx")
    assert not [*tmp_path.iterdir()]
