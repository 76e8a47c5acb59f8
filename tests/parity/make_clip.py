"""Writes tiny CLIP checkpoints and what transformers answers to them.

Run: python tests/parity/make_clip.py   (needs torch, transformers and Pillow)

For each case below it writes `files/clip/NAME/`, a folder as transformers saves it, and
in it `reference.npz`: pictures of several sizes, their pixels, the tokens of texts,
vectors of both, and logits. `test_clip_parity.py` compares them with ours and needs
neither.
"""

import json
import pathlib
import shutil

import numpy as np
import torch
import transformers
from PIL import Image
from safetensors.torch import load_file, save_file
from transformers.models.clip.image_processing_pil_clip import CLIPImageProcessorPil

FILES = pathlib.Path(__file__).parent / "files" / "clip"
START, END = "<|startoftext|>", "<|endoftext|>"
MERGES = ["c a", "ca t</w>", "d o", "do g</w>", "a</w> x", "h e", "he l", "l o</w>"]
TEXTS = [
    "A cat.",
    "Hello   dog's 42 cats!",
    "Grüße, 猫 and naïve café",
    "it's a photo of a dog and of a cat, and of many other things",
]
SIZES = [(30, 41), (41, 30), (24, 24), (7, 9)]
CASES = {
    "clip": dict(
        text_config=dict(
            hidden_size=12,
            intermediate_size=20,
            num_hidden_layers=1,
            num_attention_heads=3,
            max_position_embeddings=24,
        ),
        vision_config=dict(
            hidden_size=16,
            intermediate_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            image_size=24,
            patch_size=8,
        ),
        projection_dim=10,
    ),
    "clip_old": dict(
        text_config=dict(
            hidden_size=16,
            intermediate_size=12,
            num_hidden_layers=2,
            num_attention_heads=2,
            max_position_embeddings=32,
            hidden_act="gelu",
            eos_token_id=2,
        ),
        vision_config=dict(
            hidden_size=12,
            intermediate_size=16,
            num_hidden_layers=1,
            num_attention_heads=3,
            image_size=12,
            patch_size=4,
            hidden_act="gelu",
        ),
        projection_dim=6,
    ),
}


def vocabulary():
    """dict of every byte, every byte at the end of a word, merges and two more."""
    letters = sorted(tokens_of_bytes())
    tokens = [*letters, *(f"{letter}</w>" for letter in letters)]
    tokens += ["".join(merge.split(" ")) for merge in MERGES] + [START, END]
    return {token: index for index, token in enumerate(tokens)}


def tokens_of_bytes():
    """How byte-level BPE writes each byte: GPT-2's table."""
    from tokenizers.pre_tokenizers import ByteLevel

    return ByteLevel.alphabet()


def main():
    shutil.rmtree(FILES, ignore_errors=True)
    tokens = vocabulary()
    tokenizer = transformers.CLIPTokenizer(
        vocab=tokens, merges=[tuple(merge.split(" ")) for merge in MERGES]
    )
    for number, (name, config) in enumerate(CASES.items()):
        torch.manual_seed(number)
        folder = FILES / name
        texts = config["text_config"]
        texts = {"eos_token_id": tokens[END], "bos_token_id": tokens[START], **texts}
        config = {**config, "text_config": {**texts, "vocab_size": len(tokens)}}
        model = transformers.CLIPModel(transformers.CLIPConfig(**config)).eval()
        with torch.no_grad():  # away from zeros and ones, so that every weight counts
            for parameter in model.parameters():
                parameter += 0.1 * torch.randn_like(parameter)
        model.save_pretrained(folder)
        side = config["vision_config"]["image_size"]
        processor = CLIPImageProcessorPil(
            size={"shortest_edge": side}, crop_size={"height": side, "width": side}
        )
        processor.save_pretrained(folder)
        if name == "clip":
            tokenizer.save_pretrained(folder)
        else:
            make_old(folder, tokens, side)
        model = transformers.CLIPModel.from_pretrained(folder).eval()
        found = reference(model, processor, tokenizer)
        np.savez(folder / "reference.npz", **found)


def make_old(folder, tokens, side):
    """What a folder of 2022 has otherwise."""
    (folder / "vocab.json").write_text(json.dumps(tokens))
    lines = ["#version: 0.2", *MERGES]
    (folder / "merges.txt").write_text("\n".join(lines) + "\n")
    roles = dict.fromkeys(("eos_token", "pad_token", "unk_token"), END)
    roles |= {"bos_token": START, "tokenizer_class": "CLIPTokenizer"}
    (folder / "tokenizer_config.json").write_text(json.dumps(roles))
    path = folder / "config.json"
    config = json.loads(path.read_text())
    for part in ("text_config", "vision_config"):
        config[f"{part}_dict"] = config[part]
        config[part] = {}
    path.write_text(json.dumps(config, indent=1))
    path = folder / "preprocessor_config.json"
    content = json.loads(path.read_text())
    path.write_text(json.dumps({**content, "size": side, "crop_size": side}))
    path = folder / "model.safetensors"
    tensors = load_file(path)
    for part, rows in (("text", 32), ("vision", 10)):
        name = f"{part}_model.embeddings.position_ids"
        tensors[name] = torch.arange(rows)[None]
    save_file(tensors, path, metadata={"format": "pt"})


def reference(model, processor, tokenizer):
    draws = np.random.default_rng(0)
    pictures = [smooth(draws, size) for size in SIZES]
    pixels = processor(
        [Image.fromarray(picture) for picture in pictures], return_tensors="pt"
    )["pixel_values"]
    rows = [tokenizer(text)["input_ids"] for text in TEXTS]
    context = model.config.text_config.max_position_embeddings
    rows = [
        row if len(row) <= context else [*row[: context - 1], row[-1]] for row in rows
    ]
    tokens = np.full((len(rows), context), rows[0][-1])
    for index, row in enumerate(rows):
        tokens[index, : len(row)] = row
    with torch.no_grad():
        output = model(input_ids=torch.tensor(tokens), pixel_values=pixels)
    print([len(row) for row in rows], output.logits_per_image.numpy())
    return {
        **{f"picture_{index}": picture for index, picture in enumerate(pictures)},
        "pixels": pixels.numpy().transpose(0, 2, 3, 1),
        "tokens": tokens.astype("int32"),
        "images": output.image_embeds.numpy(),
        "texts": output.text_embeds.numpy(),
        "logits": output.logits_per_image.numpy(),
        "decoded": np.array(
            [tokenizer.decode(row, skip_special_tokens=True) for row in rows]
        ),
    }


def smooth(draws, size):
    """uint8 `(H, W, 3)`: colours that flow into each other."""
    coarse = draws.integers(0, 256, (5, 5, 3), "uint8")
    return np.asarray(Image.fromarray(coarse).resize(size[::-1], Image.BICUBIC))


if __name__ == "__main__":
    main()
