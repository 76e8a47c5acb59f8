"""Every family is written, with a tokenizer, and read by transformers. Needs torch:

    python tests/parity/read_back.py

Each folder is one that transformers made. What it says of the folder of ours that was
written from it is what it said of its own; the tokenizer's ids are ours.
"""

import json
import pathlib
import subprocess
import sys
import tempfile

import numpy as np
import torch
import transformers
from make_decoder_tokenizers import MORE
from make_encoder import TEXTS

FILES = pathlib.Path(__file__).parent / "files"
ALL = ["the cat sat on the mat", *TEXTS, *MORE]
BERT = ("encoder/tokenizers/bert_cased", "bert")
ROBERTA = ("bert_kin/tokenizers/roberta", "roberta")
# model_type: (folder of a model, folder of a tokenizer, the family whose files it has)
CASES = {
    "gpt2": ("encoder/gpt2", "encoder/tokenizers/gpt2", "gpt2"),
    "bert": ("encoder/bert_masked", *BERT),
    "roberta": ("bert_kin/roberta_masked", *ROBERTA),
    "xlm-roberta": (
        "bert_kin/xlm_roberta",
        "bert_kin/tokenizers/xlm_roberta",
        "xlm-roberta",
    ),
    "camembert": (
        "bert_kin/camembert_masked",
        "bert_kin/tokenizers/camembert",
        "camembert",
    ),
    "distilbert": ("bert_kin/distilbert_masked", *BERT),
    "mpnet": ("bert_kin/mpnet_masked", "bert_kin/tokenizers/mpnet", "mpnet"),
    "electra": ("bert_kin/electra_masked", *BERT),
    "albert": ("bert_kin/albert_masked", "bert_kin/tokenizers/albert", "albert"),
    "modernbert": ("bert_kin/modernbert_masked", *BERT),
    "bart": ("seq2seq/bart", *ROBERTA),
    "blenderbot": ("seq2seq/blenderbot", *ROBERTA),
    "blenderbot-small": ("seq2seq/blenderbot_small", *BERT),
    "marian": ("seq2seq/marian", "translators/marian", "marian"),
    "pegasus": ("seq2seq/pegasus", "translators/pegasus", "pegasus"),
    "mbart": ("seq2seq/mbart", "translators/mbart_json", "mbart"),
    "m2m_100": ("seq2seq/m2m100", "translators/nllb_json", "m2m_100"),
    "t5": ("seq2seq/t5", "encoder/tokenizers/t5", "t5"),
    "whisper": ("whisper/whisper", "whisper/whisper", "whisper"),
    "clip": ("clip/clip", "clip/clip", "clip"),
    "llama": ("decoder/llama3", "decoder_tokenizers/llama3", "llama"),
    "mistral": ("decoder/mistral", "decoder_tokenizers/llama2", "mistral"),
    "qwen2": ("decoder/qwen2", "byte_pairs/qwen2", "qwen2"),
    "qwen3": ("decoder/qwen3", "decoder_tokenizers/qwen2", "qwen3"),
    "phi3": ("decoder/phi3_partial", "decoder_tokenizers/phi3", "phi3"),
    "gemma2": ("decoder/gemma2", "decoder_tokenizers/gemma", "gemma2"),
    "gemma3_text": ("decoder/gemma3", "decoder_tokenizers/gemma", "gemma3_text"),
}
# Run by itself, because torch and TensorFlow may not share a process.
REWRITE = """
import json, pathlib, sys
from keras_genai import from_preset
from keras_genai.convert.families import FAMILIES
from keras_genai.convert.huggingface import read_tokenizer
files, place = map(pathlib.Path, sys.argv[1:])
told = json.loads(sys.stdin.read())
assert told["cases"].keys() == FAMILIES.keys()
for name, (folder, tokenizer, family) in told["cases"].items():
    model = from_preset(files / folder)
    tokenizer = files / tokenizer
    model.save_to_preset(place / name, format="huggingface")
    # Of more tokens than the model has rows: in a folder that is read for them alone.
    model.tokenizer = read_tokenizer(tokenizer, FAMILIES[family], None, FAMILIES)
    model.save_to_preset(place / f"{name}_tokenizer", format="huggingface")
    texts = told["texts"] if name != "whisper" else told["texts"][:1]  # of few letters
    ids = [model.tokenizer.encode(text).tolist() for text in texts]
    (place / f"{name}.json").write_text(json.dumps(ids), "utf-8")
"""


def main():
    with tempfile.TemporaryDirectory() as place:
        told = json.dumps({"cases": CASES, "texts": ALL})
        command = [sys.executable, "-c", REWRITE, FILES, place]
        subprocess.run(command, check=True, input=told, text=True)
        for name, (folder, *_) in CASES.items():
            check(name, FILES / folder, pathlib.Path(place))


def check(name, original, place):
    """Compares what transformers reads in two folders."""
    found = [said(read(folder)) for folder in (original, place / name)]
    error = float((found[0] - found[1]).abs().max())
    theirs = transformers.AutoTokenizer.from_pretrained(place / f"{name}_tokenizer")
    ids = json.loads((place / f"{name}.json").read_text("utf-8"))
    other = [
        text
        for text, row in zip(ALL, ids, strict=False)
        if theirs(text)["input_ids"] != row
    ]
    print(name, f"{error:.1e}", type(theirs).__name__, other)
    assert error < 1e-4, name
    assert not other, name


def read(folder):
    """The model of a folder, in float32, of which nothing is missing or left over."""
    config = json.loads((folder / "config.json").read_text("utf-8"))
    kind = getattr(transformers, config["architectures"][0])
    model, told = kind.from_pretrained(
        folder,
        output_loading_info=True,
        dtype=torch.float32,
        attn_implementation="eager",
    )
    told["missing_keys"] -= {"model.shared.weight"}  # which nobody reads
    assert not any(told.values()), (folder, told)
    return model.eval()


def said(model):
    """What a model says of something drawn."""
    draw = np.random.default_rng(0)
    config = model.config
    size = getattr(config, "text_config", config).vocab_size
    tokens = torch.tensor(draw.integers(3, size, (2, 9)))
    inputs = {"input_ids": tokens}
    if config.model_type == "clip":
        side = config.vision_config.image_size
        pictures = draw.normal(size=(2, 3, side, side)).astype("float32")
        inputs["pixel_values"] = torch.tensor(pictures)
    elif config.model_type == "whisper":
        shape = (2, config.num_mel_bins, 2 * config.max_source_positions)
        sounds = torch.tensor(draw.normal(size=shape).astype("float32"))
        inputs = {"input_features": sounds, "decoder_input_ids": tokens}
    elif config.is_encoder_decoder:
        inputs["decoder_input_ids"] = tokens.flip(1)
    with torch.no_grad():
        found = model(**inputs)
    return found["logits_per_image" if config.model_type == "clip" else "logits"]


if __name__ == "__main__":
    main()
