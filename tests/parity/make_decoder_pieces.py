"""Writes tests/parity/files/decoder_pieces: SentencePiece files as decoders have them.

Needs transformers and sentencepiece:

    python tests/parity/make_decoder_pieces.py         write the reference
    python tests/parity/make_decoder_pieces.py check   ours, read by transformers
"""

import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

import sentencepiece
import transformers
from make_decoder_tokenizers import MORE
from make_encoder import CORPUS, TEXTS

FILES = pathlib.Path(__file__).parent / "files/decoder_pieces"
SPECIAL = [
    " <s> a</s>  b<unk> c",
    "[INST] hello [/INST] there</s>",
    "<start_of_turn>user\nhi<end_of_turn>\n\n\n  \t\t<table> code",
    "",
    " ",
    "\u2581\u2581two",
]
ALL = [*TEXTS, *MORE, *SPECIAL]
BYTES = dict(byte_fallback=True, split_digits=True, normalization_rule_name="identity")
KEPT = dict(**BYTES, remove_extra_whitespaces=False, allow_whitespace_only_pieces=True)
# How the file was trained.
TRAINED = {
    "llama2": dict(model_type="bpe", vocab_size=420, **KEPT),
    "mistral": dict(
        model_type="bpe", vocab_size=430, control_symbols="[INST],[/INST]", **KEPT
    ),
    "gemma": dict(
        model_type="bpe",
        vocab_size=430,
        pad_id=0,
        eos_id=1,
        bos_id=2,
        unk_id=3,
        bos_piece="<bos>",
        eos_piece="<eos>",
        add_dummy_prefix=False,
        user_defined_symbols=[
            *("<start_of_turn>", "<end_of_turn>", "\n", "\n\n", "\u2581\u2581"),
            *("\t", "\t\t", "<table>"),
        ],
        **KEPT,
    ),
    "squeezing": dict(model_type="bpe", vocab_size=400, **BYTES),
    "unigram": dict(model_type="unigram", vocab_size=400, **KEPT),
}
LLAMA = dict(bos_token="<s>", eos_token="</s>", unk_token="<unk>", add_bos_token=True)
GEMMA = dict(bos_token="<bos>", eos_token="<eos>", pad_token="<pad>")
# The folder's file and its tokenizer_config.json.
OPTIONS = {
    "llama2": ("llama2", LLAMA),
    "llama2_new": ("llama2", {**LLAMA, "legacy": False}),
    "llama2_ends": ("llama2", {**LLAMA, "legacy": True, "add_eos_token": True}),
    "mistral": ("mistral", {**LLAMA, "add_bos_token": False}),
    "mistral_new": ("mistral", {**LLAMA, "legacy": False}),
    "gemma": ("gemma", {**GEMMA, "unk_token": "<unk>", "add_bos_token": True}),
    "squeezing": ("squeezing", LLAMA),
    "unigram": ("unigram", LLAMA),
}


def main():
    if sys.argv[1:] == ["check"]:
        check()
        return
    shutil.rmtree(FILES, ignore_errors=True)
    for name, settings in TRAINED.items():
        (FILES / name).mkdir(parents=True)
        sentencepiece.SentencePieceTrainer.train(
            sentence_iterator=iter(CORPUS * 3),
            model_prefix=str(FILES / name / "tokenizer"),
            hard_vocab_limit=False,
            character_coverage=0.98,
            minloglevel=2,
            **settings,
        )
        (FILES / name / "tokenizer.vocab").unlink()
    found = {"texts": ALL}
    for name, (file, options) in OPTIONS.items():
        folder = FILES / file
        said = folder / "tokenizer_config.json"
        said.write_text(json.dumps(options), "utf-8")
        theirs = transformers.TokenizersBackend.from_pretrained(
            folder, vocab_file=str(folder / "tokenizer.model")
        )
        ids = [theirs(text)["input_ids"] for text in ALL]
        found[name] = {
            "file": file,
            "options": options,
            "ids": ids,
            "decoded": [theirs.decode(row, skip_special_tokens=True) for row in ids],
        }
        said.unlink()
        itself = sentencepiece.SentencePieceProcessor(str(folder / "tokenizer.model"))
        plain = [theirs(text, add_special_tokens=False)["input_ids"] for text in ALL]
        other = [t for t, r in zip(ALL, plain, strict=True) if itself.encode(t) != r]
        print(name, len(theirs), f"sentencepiece differs in {len(other)}:", other)
    (FILES / "ids.json").write_text(json.dumps(found), "utf-8")


# Run by itself, because torch and TensorFlow may not share a process.
REWRITE = """
import json, pathlib, shutil, sys
from keras_genai.convert.families import FAMILIES
from keras_genai.convert.huggingface import read_tokenizer
from keras_genai.networks.gpt import GPT, LLAMA
from keras_genai.tasks.language import CausalLM
files, place = map(pathlib.Path, sys.argv[1:])
known = json.loads((files / "ids.json").read_text("utf-8"))
for name in known.keys() - {"texts"}:
    folder = shutil.copytree(files / known[name]["file"], place / f"{name}_source")
    options = json.dumps(known[name]["options"])
    (folder / "tokenizer_config.json").write_text(options, "utf-8")
    sizes = dict(vocabulary_size=450, context=64, depth=1, width=8, num_heads=2)
    model = CausalLM(GPT(**sizes, style=LLAMA))
    model.tokenizer = read_tokenizer(folder, FAMILIES["llama"], 450)
    model.save_to_preset(place / name, format="huggingface")
"""


def check():
    """Lets us write tokenizers of these files, and transformers read them."""
    known = json.loads((FILES / "ids.json").read_text("utf-8"))
    with tempfile.TemporaryDirectory() as place:
        subprocess.run([sys.executable, "-c", REWRITE, FILES, place], check=True)
        for name in OPTIONS:
            theirs = transformers.AutoTokenizer.from_pretrained(f"{place}/{name}")
            for text, ids in zip(known["texts"], known[name]["ids"], strict=True):
                assert theirs(text)["input_ids"] == ids, (name, text)
            print(name, type(theirs).__name__, theirs.special_tokens_map)


if __name__ == "__main__":
    main()
