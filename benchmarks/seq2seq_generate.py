"""Writing of encoder-decoders, greedy or with beams: ours and transformers' `generate`.

Run:  python -m pip install -e ".[bench]"
      python benchmarks/seq2seq_generate.py --shape t5_small --beams 1 --batch 1
      python benchmarks/seq2seq_generate.py --shape bart_base --beams 4 --batch 8
      python benchmarks/seq2seq_generate.py --shape opus_mt --beams 1 --inputs 32
      python benchmarks/seq2seq_generate.py --shape opus_mt --beams 4 --inputs 32
      python benchmarks/seq2seq_generate.py --shape blenderbot_400m --inputs 40 \
          --steps 30 --rounds 5

Both sides open one folder of random float32 weights and decode as its
generation_config.json says, an end forbidden until `--steps` tokens are written; the
tokens are compared. One `step` is one token of every row; the encoder's work is part
of the time. `blenderbot_400m` is a chat turn, with the beams and rules of the published
facebook/blenderbot-400M-distill unless `--beams` says otherwise; `opus_mt` a sentence
for Helsinki-NLP/opus-mt-en-de, a Marian.
"""

import argparse

import alternate
import folders

SHAPES = {
    "t5_small": dict(
        model="T5ForConditionalGeneration",
        config="T5Config",
        settings=dict(vocab_size=32128, d_model=512, num_layers=6, num_heads=8),
        generation=dict(num_beams=1, decoder_start_token_id=0),
    ),
    "bart_base": dict(
        model="BartForConditionalGeneration",
        config="BartConfig",
        settings=dict(
            d_model=768,
            **{f"{side}_layers": 6 for side in ("encoder", "decoder")},
            **{f"{side}_attention_heads": 12 for side in ("encoder", "decoder")},
            **{f"{side}_ffn_dim": 3072 for side in ("encoder", "decoder")},
            forced_eos_token_id=None,
        ),
        generation=dict(num_beams=1, decoder_start_token_id=2),
    ),
    "opus_mt": dict(
        model="MarianMTModel",
        config="MarianConfig",
        settings=dict(
            vocab_size=58101,
            max_position_embeddings=512,
            d_model=512,
            **{f"{side}_layers": 6 for side in ("encoder", "decoder")},
            **{f"{side}_attention_heads": 8 for side in ("encoder", "decoder")},
            **{f"{side}_ffn_dim": 2048 for side in ("encoder", "decoder")},
            activation_function="swish",
            scale_embedding=True,
            forced_eos_token_id=None,
        ),
        generation=dict(
            num_beams=1, decoder_start_token_id=58100, bad_words_ids=[[58100]]
        ),
    ),
    "blenderbot_400m": dict(
        model="BlenderbotForConditionalGeneration",
        config="BlenderbotConfig",
        settings=dict(
            vocab_size=8008,
            d_model=1280,
            encoder_layers=2,
            decoder_layers=12,
            **{f"{side}_attention_heads": 32 for side in ("encoder", "decoder")},
            **{f"{side}_ffn_dim": 5120 for side in ("encoder", "decoder")},
            scale_embedding=True,
            forced_eos_token_id=None,
        ),
        generation=dict(
            num_beams=10,
            length_penalty=0.65,
            no_repeat_ngram_size=3,
            encoder_no_repeat_ngram_size=3,
            decoder_start_token_id=1,
        ),
    ),
}
# Times the usual initial weights. With those alone each token is followed by itself.
LARGER = 6.0


def write(folder, options):
    import torch
    import transformers

    shape = SHAPES[options.shape]
    config = getattr(transformers, shape["config"])(**shape["settings"])
    model = getattr(transformers, shape["model"])(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and (".fc" in name or ".DenseReluDense." in name):
                weight.mul_(LARGER)
    model.generation_config.update(**shape["generation"])
    model.save_pretrained(folder)


def texts(options, vocabulary_size):
    """int32 `(batch, inputs)`, without special tokens."""
    import numpy as np

    shape = (options.batch, options.inputs)
    return np.random.default_rng(1).integers(10, vocabulary_size, shape, "int32")


def ours(options):
    import dataclasses

    import numpy as np
    import tensorflow as tf

    import keras_genai

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    model = keras_genai.from_preset(options.folder)
    length = 1 + options.steps  # the token that the decoder starts with is one
    model.generation = dataclasses.replace(
        model.generation,
        max_length=length,
        min_length=length,
        num_beams=options.beams or model.generation.num_beams,
    )
    inputs = list(texts(options, model.vocabulary_size))

    def run():
        return {"tokens": np.array(model.generate(inputs)).tolist()}

    run()
    return run


def transformers_generate(options):
    import torch
    import transformers

    torch.set_num_threads(options.threads)
    model = getattr(transformers, SHAPES[options.shape]["model"])
    model = model.from_pretrained(options.folder).eval()
    inputs = torch.from_numpy(texts(options, model.config.vocab_size)).long()

    def run():
        with torch.inference_mode():
            written = model.generate(
                inputs,
                attention_mask=torch.ones_like(inputs),
                max_new_tokens=options.steps,
                min_new_tokens=options.steps,
                num_beams=options.beams or model.generation_config.num_beams,
            )
        return {"tokens": written[:, 1:].tolist()}

    run()
    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--shape", choices=SHAPES, default="t5_small")
    parser.add_argument("--beams", type=int, help="1 is greedy (what the shape says)")
    parser.add_argument("--batch", type=int, default=1, help="texts at a time")
    parser.add_argument("--inputs", type=int, default=64, help="tokens of each text")
    parser.set_defaults(steps=64)
    with folders.written(write, parser):
        results = alternate.main(
            {"ours": ours, "transformers": transformers_generate}, parser, unit="token"
        )
    if results and len(results) == 3:
        ratio = alternate.print_ratio(results, "ours", "transformers", 0.5)
        print(f"{1 / ratio:.2f} times the tokens/s of transformers (target >= 2.0)")
        both = [results[side][0]["tokens"] for side in ("ours", "transformers")]
        print(f"same tokens: {both[0] == both[1]}")
