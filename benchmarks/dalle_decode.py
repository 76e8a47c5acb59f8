"""Codes of pictures behind texts: ours, and dalle-pytorch's cached generation.

Run:  python -m pip install -e ".[bench]" "setuptools<81" einops \
          axial_positional_embedding rotary-embedding-torch
      python -m pip install --no-deps dalle-pytorch==1.6.6
      python benchmarks/dalle_decode.py --steps 64
      python benchmarks/dalle_decode.py --steps 256 --batch 8 --guidance 3

One `step` is one code of every picture. Both networks have equal matrices: 4 blocks of
width 256, 8 heads of 64, gated feed-forward, learned positions, random weights. What
decodes the codes is left out on both sides. dalle-pytorch wants packages for
tokenizers and other codecs that no longer install; they are replaced by empty modules.
"""

import argparse
import math

import alternate

WORDS, TEXT, CODES = 1_000, 24, 512
WIDTH, DEPTH, HEADS, HEAD = 256, 4, 8, 64
KEPT = 0.5  # of all tokens, the likeliest
EMPTY = {
    "youtokentome": [],
    "omegaconf": ["OmegaConf"],
    "taming": [],
    "taming.models": [],
    "taming.models.vqgan": ["VQModel", "GumbelVQ"],
    "ftfy": [],
}


def texts(options):
    """int array `(batch, TEXT)`: words, then padding."""
    import numpy as np

    found = np.random.default_rng(0).integers(1, WORDS, (options.batch, TEXT))
    return np.where(np.arange(TEXT) < TEXT // 3, found, 0)


def side(options):
    """int: codes in a row of a picture."""
    width = math.isqrt(options.steps)
    if width**2 != options.steps:
        raise ValueError(f"`--steps` must be a square. Received: {options.steps}")
    return width


def ours(options):
    import tensorflow as tf

    from keras_genai.modalities import Image, Text
    from keras_genai.networks import GPT, QuantizedAutoencoder, Style
    from keras_genai.tasks import DALLE, VQVAE
    from keras_genai.tasks.text_codes import Wish

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    size = 2 * side(options)
    codec = VQVAE(
        QuantizedAutoencoder(num_codes=CODES, filters=(4,)), Image((size, size, 3))
    )
    network = GPT(
        depth=DEPTH,
        width=WIDTH,
        num_heads=HEADS,
        head_dim=HEAD,
        style=Style(feedforward="swiglu", tie_embeddings=False),
    )
    model = DALLE(network, codec, Text(vocabulary_size=WORDS, length=TEXT))
    told = texts(options).astype("int32")
    wish = Wish(top_k=int(KEPT * CODES), guidance=float(options.guidance))
    drawer = model.drawers[options.guidance != 1]

    def run():
        drawer.codes(told, None, wish)

    run()
    return run


def dalle_pytorch(options):
    import sys
    import types

    import torch

    for name, attributes in EMPTY.items():
        module = types.ModuleType(name)
        for attribute in attributes:
            setattr(module, attribute, type(attribute, (), {}))
        sys.modules.setdefault(name, module)
    import dalle_pytorch as peer

    torch.set_num_threads(options.threads)
    codec = peer.DiscreteVAE(
        image_size=2 * side(options),
        num_layers=1,
        num_tokens=CODES,
        codebook_dim=8,
        hidden_dim=4,
    )
    codec.decode = lambda codes: codes
    model = peer.DALLE(
        dim=WIDTH,
        vae=codec,
        num_text_tokens=WORDS,
        text_seq_len=TEXT,
        depth=DEPTH,
        heads=HEADS,
        dim_head=HEAD,
        shift_tokens=False,
        rotary_emb=False,
    ).eval()
    told = torch.tensor(texts(options))

    def run():
        model.generate_images(
            told.clone(),
            filter_thres=KEPT,
            cond_scale=options.guidance,
            use_cache=True,
        )

    run()
    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.set_defaults(steps=64)
    parser.add_argument("--batch", type=int, default=1, help="pictures at once")
    parser.add_argument("--guidance", type=float, default=1.0, help="1 is none")
    sides = {"ours": ours, "dalle-pytorch": dalle_pytorch}
    results = alternate.main(sides, parser, unit="code")
    if results and len(results) == 3:
        alternate.print_ratio(results, "ours", "dalle-pytorch", 0.3)
