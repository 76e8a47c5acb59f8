"""A GGUF holds a model's tensors and tokenizer; llama.cpp writes the same tokens."""

import dataclasses
import json
import os
import pathlib
import shutil
import subprocess

import keras
import numpy as np
import pytest

from keras_genai.data import tokenizers
from keras_genai.data.published import frame
from keras_genai.data.turns import CHATML, PLAIN
from keras_genai.export.comparing import ExportError
from keras_genai.export.modelfile import modelfile
from keras_genai.layers.rotary import LinearRotary, Llama3Rotary, Rotary, YarnRotary
from keras_genai.modalities.text import Text
from keras_genai.networks.bert import BERT
from keras_genai.networks.gpt import GEMMA, GPT, GPT2, LLAMA, MODERN
from keras_genai.networks.rnn import RNN
from keras_genai.samplers.tokens import Greedy
from keras_genai.tasks.embedding import SentenceEmbedder
from keras_genai.tasks.language import CausalLM
from keras_genai.tasks.masked import MaskedLM

gguf = pytest.importorskip("gguf")
replace = dataclasses.replace
CHARACTERS = tokenizers.characters("abcdefghijklmnop ABC.,\né→\\ß")
WORDS = "the cat sat on the mat and the cat ate a rat. " * 40
BPE = tokenizers.bpe(WORDS, 280, end_token="</s>")
NEW = 24  # tokens that both write


def gpt(style, tokenizer=CHARACTERS, rows=0, **sizes):
    keras.utils.set_random_seed(0)
    sizes = dict(context=48, depth=2, width=32, num_heads=4, inner_width=64) | sizes
    rows += tokenizer.vocabulary_size
    model = CausalLM(GPT(vocabulary_size=rows, style=style, **sizes), Text(tokenizer))
    # As they begin, texts would hardly depend on what stands before.
    for number, weight in enumerate(model.trainable_variables):
        noise = np.random.default_rng(number).normal(size=weight.shape)
        weight.assign(weight + 0.3 * noise)
    model.jit_generate = False
    return model


def read(path):
    """`(fields, tensors)` of a file, by their names."""
    reader = gguf.GGUFReader(path)
    fields = {name: field.contents() for name, field in reader.fields.items()}
    return fields, {tensor.name: tensor for tensor in reader.tensors}


def test_gpt2_is_read_back_with_its_characters(tmp_path):
    model = gpt(GPT2)
    made = model.export_to(tmp_path / "it.gguf", "gguf")
    fields, tensors = read(made.path)
    assert fields["general.architecture"] == "gpt2"
    assert fields["gpt2.context_length"] == 48
    assert fields["tokenizer.ggml.model"] == "rwkv"
    assert "tokenizer.ggml.eos_token_id" not in fields
    texts = fields["tokenizer.ggml.tokens"]
    assert texts[CHARACTERS.encode("\n")[0]] == "\\x0a"
    assert texts[CHARACTERS.encode("é")[0]] == "\\xc3\\xa9"
    table = model.network.embedding.embeddings.numpy()
    np.testing.assert_array_equal(tensors["token_embd.weight"].data, table)
    kernel = model.network.blocks[1].feedforward.expand.kernel.numpy()
    np.testing.assert_array_equal(tensors["blk.1.ffn_up.weight"].data, kernel.T)
    assert "output.weight" not in tensors  # the head is the table
    assert (tmp_path / "it.Modelfile").read_text("utf-8") == (
        'FROM ./it.gguf\nTEMPLATE """{{ .Prompt }}"""\nPARAMETER num_ctx 48\n'
    )


@pytest.mark.parametrize("dtype", ["f16", "q8_0"])
def test_matrices_may_be_smaller(dtype, tmp_path):
    made = gpt(LLAMA, BPE, rows=3).export_to(tmp_path / "it.gguf", "gguf", dtype=dtype)
    fields, tensors = read(made.path)
    assert fields["tokenizer.ggml.pre"] == "gpt-2"
    assert fields["tokenizer.ggml.eos_token_id"] == BPE.end_token
    assert fields["tokenizer.ggml.tokens"][-1].startswith("[UNUSED")
    kinds = {name: tensor.tensor_type.name for name, tensor in tensors.items()}
    assert kinds["blk.0.attn_q.weight"] == dtype.upper()
    assert kinds["blk.0.attn_norm.weight"] == "F32"


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: gpt(MODERN), "it knows gpt2, llama, .* Received: Style"),
        (lambda: gpt(replace(LLAMA, feedforward="geglu")), "activation must be silu"),
        (lambda: gpt(replace(LLAMA, rotary=YarnRotary(factor=2.0))), "yarn"),
        (
            lambda: CausalLM(
                RNN(vocabulary_size=9, embedding_dim=4, units=4, num_layers=1),
                Text(tokenizers.characters("abcdefghi")),
            ),
            "Received: RNN",
        ),
        (
            lambda: MaskedLM(
                BERT(vocabulary_size=9, context=8, depth=1, width=8, num_heads=2)
            ),
            "Received: a MaskedLM",
        ),
        (
            lambda: CausalLM(
                GPT(vocabulary_size=9, context=8, depth=1, width=8, num_heads=2)
            ),
            "must have a tokenizer",
        ),
    ],
)
def test_what_llama_cpp_does_not_know_is_said(make, message, tmp_path):
    with pytest.raises(ExportError, match=message):
        make().export_to(tmp_path / "it.gguf", "gguf")
    assert not [*tmp_path.iterdir()]


def test_a_tokenizer_without_an_end_says_which_token_stands_for_it(tmp_path):
    bare = tokenizers.bpe(WORDS, 270)
    made = gpt(GPT2, bare).export_to(tmp_path / "it.gguf", "gguf")
    assert any("has no end token; llama.cpp needs one" in line for line in made.lines)
    assert "tokenizer.ggml.eos_token_id" in read(made.path)[0]


def test_a_modelfile_says_how_turns_are_written():
    model = gpt(GPT2)
    model.turns = CHATML
    text = modelfile(model, "it.gguf")
    assert "<|im_start|>user\n{{ .Prompt }}<|im_end|>" in text
    assert (
        "{{ if .System }}<|im_start|>system\n{{ .System }}<|im_end|>\n{{ end }}" in text
    )
    assert 'PARAMETER stop "<|im_end|>"' in text
    model.turns = replace(PLAIN, stop=('"\nUser:',))
    assert 'PARAMETER stop "\\"\\nUser:"' in modelfile(model, "it.gguf")


STYLES = {
    "gpt2": lambda: gpt(GPT2),
    "gpt2_bpe": lambda: gpt(GPT2, BPE),
    "gpt2_bytes": lambda: gpt(
        replace(GPT2, tie_embeddings=False), tokenizers.byte_level()
    ),
    "llama": lambda: gpt(LLAMA, BPE, rows=3),
    "llama_biases": lambda: gpt(
        replace(LLAMA, query_bias=True, output_bias=True, feedforward_bias=True)
    ),
    "llama3": lambda: gpt(
        replace(
            LLAMA,
            num_memory_heads=2,
            rotary=Llama3Rotary(
                base=5e5, factor=8.0, low=1.0, high=4.0, original_context=16
            ),
        )
    ),
    "linear": lambda: gpt(replace(LLAMA, rotary=LinearRotary(factor=2.0)), BPE),
    "qwen2": lambda: gpt(replace(LLAMA, query_bias=True), BPE),
    "qwen3": lambda: gpt(
        replace(LLAMA, normalize_heads=True, num_memory_heads=2), head_dim=16
    ),
    "gemma2": lambda: gpt(
        replace(
            GEMMA,
            attention_cap=50.0,
            logit_cap=30.0,
            window=8,
            local_blocks=(True, False),
        )
    ),
    "gemma3": lambda: gpt(
        replace(
            GEMMA,
            normalize_heads=True,
            window=8,
            local_blocks=(True,) * 5 + (False,),
            rotary=Rotary(base=1e6),
            local_rotary=Rotary(base=1e4),
        ),
        depth=7,
    ),
}
SAID = ["abc. A", "a  b\nhe", "Ab→é\\ß,"]
# Tokens of texts, and those that llama.cpp writes behind a prompt, as a JSON line.
LLAMA_CPP = """
import {pathToFileURL} from "node:url";
const [place, text] = process.argv.slice(2);
const asked = JSON.parse(text);
const {getLlama} = await import(
  pathToFileURL(place + "/node_modules/node-llama-cpp/dist/index.js"));
const llama = await getLlama({build: "never", gpu: false, logLevel: "error"});
const found = {};
for (const [path, {texts, prompt, count}] of Object.entries(asked)) {
  const model = await llama.loadModel({modelPath: path});
  const out = [];
  if (prompt.length) {
    const context = await model.createContext({contextSize: 48, threads: 1});
    const sequence = context.getSequence();
    const options = {temperature: 0, yieldEogToken: true};
    for await (const token of sequence.evaluate(prompt, options)) {
      out.push(token);
      if (out.length >= count) break;
    }
    await context.dispose();
  } else {
    const context = await model.createEmbeddingContext({threads: 1});
    for (const text of texts)
      out.push((await context.getEmbeddingFor(text)).vector);
    await context.dispose();
  }
  found[path] = {tokens: texts.map(text => [...model.tokenize(text)]), out};
  await model.dispose();
}
console.log(JSON.stringify(found));
process.exit(0);
"""
PLACE = "KERAS_GENAI_NODE"  # the folder in which npm has installed node-llama-cpp


def llama_cpp(asked, folder):
    """What llama.cpp says of files: dict by path of `tokens` and `out`."""
    place = pathlib.Path(os.environ.get(PLACE, ".")).absolute()
    if not (place / "node_modules" / "node-llama-cpp").is_dir() or (
        shutil.which("node") is None
    ):
        pytest.skip(f"{PLACE} must be a folder with node-llama-cpp")
    script = folder / "ask.mjs"  # not `-e`, which its own child would run, too
    script.write_text(LLAMA_CPP)
    said = subprocess.run(
        ["node", str(script), str(place), json.dumps(asked)],
        capture_output=True,
        check=False,
        timeout=300,
    )
    assert not said.returncode, said.stderr.decode()[-1000:]
    return json.loads(said.stdout)


@pytest.mark.slow
def test_llama_cpp_writes_the_same_tokens(tmp_path):
    asked, wanted = {}, {}
    for name, make in STYLES.items():
        model = make()
        tokenizer = model.tokenizer
        texts = [text for text in SAID if tokenizer is not BPE or text.isascii()]
        path = str(model.export_to(tmp_path / f"{name}.gguf", "gguf").path)
        prompt = tokenizer.encode(SAID[0])
        asked[path] = {"texts": texts, "prompt": prompt.tolist(), "count": NEW}
        written = model.generate([prompt], len(prompt) + NEW, Greedy())[0]
        wanted[path] = (
            [tokenizer.encode(text).tolist() for text in texts],
            written[len(prompt) :],
            margins(model, written, len(prompt)),
        )
    found, compared = llama_cpp(asked, tmp_path), 0
    for path, (tokens, written, clear) in wanted.items():
        assert found[path]["tokens"] == tokens, path
        # What is nearly as likely may win by the rounding of another program.
        unclear = np.flatnonzero(clear < 2e-3)
        end = unclear[0] if len(unclear) else len(written)
        compared += end
        assert found[path]["out"][:end] == written[:end].tolist(), path
    assert compared > len(STYLES) * NEW // 2


def margins(model, tokens, start):
    """float array: by how much each written token was ahead of the next one."""
    logits = np.sort(np.asarray(model(tokens[None, :-1]))[0, start - 1 :])
    return logits[:, -1] - logits[:, -2]


@pytest.mark.slow
def test_llama_cpp_makes_the_same_vectors(tmp_path):
    tokenizer = tokenizers.wordpiece(
        WORDS,
        60,
        lowercase=True,
    )
    frame(tokenizer.core, "[CLS] $A [SEP]", "[CLS] $A [SEP] $B [SEP]")
    keras.utils.set_random_seed(0)
    network = BERT(
        vocabulary_size=tokenizer.vocabulary_size,
        context=32,
        depth=2,
        width=32,
        num_heads=4,
    )
    model = SentenceEmbedder(network, Text(tokenizer))
    for number, weight in enumerate(model.trainable_variables):
        noise = np.random.default_rng(number).normal(size=weight.shape)
        weight.assign(weight + 0.3 * noise)
    path = str(model.export_to(tmp_path / "bert.gguf", "gguf").path)
    texts = ["the cat sat", "a rat ate the mat and the cat"]
    found = llama_cpp({path: {"texts": texts, "prompt": [], "count": 0}}, tmp_path)[
        path
    ]
    ours = model.embed(texts)
    theirs = np.array(found["out"])
    theirs /= np.linalg.norm(theirs, axis=-1, keepdims=True)
    assert np.sum(ours * theirs, axis=-1).min() > 0.999
