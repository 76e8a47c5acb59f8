"""Writing down of 30 seconds of sound: ours and transformers' Whisper.

Run:  python -m pip install -e ".[bench]"
      python benchmarks/whisper_decoding.py --batch 1
      python benchmarks/whisper_decoding.py --beams 5

Both sides open one folder of the size of openai/whisper-tiny with random float32
weights, read the same spectrograms, and write `--steps` tokens behind the same prompt;
the tokens are compared. The encoder's work is part of the time.
"""

import argparse

import alternate
import folders

SIZE = 51865
END, START, ENGLISH, TRANSCRIBE, UNTIMED = 50257, 50258, 50259, 50359, 50363
# Times the usual initial weights. With those alone each token is followed by itself.
LARGER = 6.0


def write(folder, options):
    import torch
    import transformers

    config = transformers.WhisperConfig(
        vocab_size=SIZE,
        pad_token_id=END,
        bos_token_id=END,
        eos_token_id=END,
        decoder_start_token_id=START,
    )
    model = transformers.WhisperForConditionalGeneration(config)
    with torch.no_grad():
        for name, weight in model.named_parameters():
            if weight.dim() > 1 and ".fc" in name:
                weight.mul_(LARGER)
    # Of what it does not know yet, `update` takes nothing.
    model.generation_config = transformers.GenerationConfig(
        is_multilingual=True,
        lang_to_id={"<|en|>": ENGLISH},
        task_to_id={"transcribe": TRANSCRIBE},
        no_timestamps_token_id=UNTIMED,
        return_timestamps=False,
        suppress_tokens=[END, *range(START, SIZE)],
        eos_token_id=END,
        pad_token_id=END,
        decoder_start_token_id=START,
    )
    model.save_pretrained(folder)


def waves(options):
    """list of float32 `(480000,)`: noise of 30 seconds, louder and softer."""
    import numpy as np

    draws = np.random.default_rng(1)
    loudness = np.repeat(draws.random((options.batch, 300)), 1600, axis=1)
    return list((draws.normal(0, 0.1, loudness.shape) * loudness).astype("float32"))


def ours(options):
    import dataclasses

    import tensorflow as tf

    import keras_genai

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    model = keras_genai.from_preset(options.folder)
    model.generation = dataclasses.replace(
        model.generation, max_length=4 + options.steps, num_beams=options.beams
    )
    heard = waves(options)

    def run():
        found = model.transcribe(heard, language="en", batch_size=options.batch)
        return {"tokens": [row.tolist() for row in found]}

    run()
    return run


def transformers_generate(options):
    import torch
    import transformers

    torch.set_num_threads(options.threads)
    kind = transformers.WhisperForConditionalGeneration
    model = kind.from_pretrained(options.folder).eval()
    extractor = transformers.WhisperFeatureExtractor()
    heard = waves(options)

    def run():
        features = extractor(heard, sampling_rate=16_000, return_tensors="pt")
        with torch.inference_mode():
            written = model.generate(
                features.input_features,
                language="en",
                task="transcribe",
                num_beams=options.beams,
                max_new_tokens=options.steps,
            )
        return {"tokens": written[:, -options.steps :].tolist()}

    run()
    return run


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--beams", type=int, default=1, help="1 is greedy")
    parser.add_argument("--batch", type=int, default=1, help="sounds at a time")
    parser.set_defaults(steps=64)
    with folders.written(write, parser):
        results = alternate.main(
            {"ours": ours, "transformers": transformers_generate}, parser, unit="token"
        )
    if results and len(results) == 3:
        alternate.print_ratio(results, "ours", "transformers", 0.5)
        both = [results[side][0]["tokens"] for side in ("ours", "transformers")]
        print(f"same tokens: {both[0] == both[1]}")
