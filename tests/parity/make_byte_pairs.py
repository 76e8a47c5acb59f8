"""Writes tests/parity/files/byte_pairs: vocab.json and merges.txt of decoders.

Needs transformers:

    python tests/parity/make_byte_pairs.py
"""

import json
import pathlib
import shutil

import transformers
from make_decoder_tokenizers import MORE, QWEN, byte_level
from make_encoder import TEXTS
from tokenizers import normalizers

FILES = pathlib.Path(__file__).parent / "files/byte_pairs"
END, START, STOP = "<|endoftext|>", "<|im_start|>", "<|im_end|>"
ADDED = ["<tool_call>", "Ada"]  # one of no special kind, and a word
QWEN2 = dict(
    add_prefix_space=False,
    additional_special_tokens=[START, STOP],
    bos_token=None,
    clean_up_tokenization_spaces=False,
    eos_token=STOP,
    errors="replace",
    model_max_length=32768,
    pad_token=END,
    split_special_tokens=False,
    tokenizer_class="Qwen2Tokenizer",
    unk_token=None,
)
GPT2 = dict(tokenizer_class="GPT2Tokenizer", model_max_length=1024)
# name: (class, special tokens in front of the vocabulary, files beside it)
CASES = {
    "qwen2": ("Qwen2Tokenizer", (), {"tokenizer_config.json": QWEN2}),
    "qwen2_bare": ("Qwen2Tokenizer", (), {}),
    "qwen2_old": (
        "Qwen2Tokenizer",
        (),
        {
            "tokenizer_config.json": dict(QWEN2, additional_special_tokens=None),
            "special_tokens_map.json": dict(
                additional_special_tokens=[START, STOP], eos_token=STOP, pad_token=END
            ),
        },
    ),
    "gpt2": ("GPT2Tokenizer", (END,), {"tokenizer_config.json": GPT2}),
    "gpt2_bare": ("GPT2Tokenizer", (END,), {}),
    "gpt2_framed": (
        "GPT2Tokenizer",
        (END,),
        {
            "tokenizer_config.json": dict(
                GPT2, add_bos_token=True, add_prefix_space=True, pad_token="<pad>"
            )
        },
    ),
    "gpt2_old": (
        "GPT2Tokenizer",
        (),
        {
            "tokenizer_config.json": GPT2,
            "special_tokens_map.json": dict(eos_token=END, pad_token="<pad>"),
        },
    ),
}


def main():
    shutil.rmtree(FILES, ignore_errors=True)
    texts = [
        *TEXTS,
        *MORE,
        f"{START}user\nAda{STOP}\n{END} <tool_call> <pad>",
        "AdaAda",
    ]
    found = {"texts": texts}
    for name, (kind, first, files) in CASES.items():
        write(FILES / name, name, first, files)
        theirs = getattr(transformers, kind).from_pretrained(FILES / name)
        ids = [theirs(text)["input_ids"] for text in texts]
        decoded = [theirs.decode(row, skip_special_tokens=True) for row in ids]
        found[name] = {"ids": ids, "decoded": decoded, "size": len(theirs)}
        print(name, len(theirs), theirs.added_tokens_decoder)
    (FILES / "ids.json").write_text(json.dumps(found), "utf-8")


def write(folder, name, first, files):
    """The files of a folder as classes written in Python read them."""
    folder.mkdir(parents=True)
    core = byte_level(QWEN, normalizers.NFC()) if "qwen" in name else byte_level(".+")
    model = json.loads(core.to_str())["model"]
    words = [*first, *sorted(model["vocab"], key=model["vocab"].get)]
    merges = [" ".join(pair) for pair in model["merges"]]
    vocabulary = {word: index for index, word in enumerate(words)}
    (folder / "vocab.json").write_text(json.dumps(vocabulary), "utf-8")
    text = "\n".join(["#version: 0.2", *merges, ""])
    (folder / "merges.txt").write_text(text, "utf-8")
    size = len(words)
    if name == "qwen2":
        listed = [END, START, STOP, *ADDED]
        files["tokenizer_config.json"]["added_tokens_decoder"] = {
            str(size + n): dict(content=text, **flags(text))
            for n, text in enumerate(listed)
        }
    if name.endswith("_old"):
        listed = [*ADDED, END, *([START, STOP] if "qwen" in name else ["<pad>"])]
        files["added_tokens.json"] = {text: size + n for n, text in enumerate(listed)}
    for file, content in files.items():
        (folder / file).write_text(json.dumps(content), "utf-8")


def flags(text):
    plain = dict(lstrip=False, rstrip=False, single_word=False, normalized=False)
    return {**plain, "special": text not in ADDED}


if __name__ == "__main__":
    main()
