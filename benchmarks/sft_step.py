"""Step of supervised fine-tuning: ours through `fit`, TRL's `SFTTrainer`.

Run:  python -m pip install -e ".[bench]"
      python benchmarks/sft_step.py --shape 0.8m --steps 20
      python benchmarks/sft_step.py --shape 10m --steps 5 --rounds 7
      python benchmarks/sft_step.py --shape 124m --steps 2 --rounds 5

Prompts and completions of words; only completions are learned, and both sides use the
output matrix there alone. AdamW with clipping at 1, float32, no gradient checkpointing:
forward, backward and update.
"""

import alternate
import folders
import trl_peer as both

TARGET = 0.8


def rows(options):
    """Prompts and completions, with the word that ends them once for both."""
    shape = both.SHAPES[options.shape]
    count = shape["rows"] * options.steps
    prompts = both.texts(options, count, shape["prompt"])
    completions = both.texts(options, count, shape["completion"] - 1, seed=1)
    return [
        {"prompt": prompt, "completion": completion}
        for prompt, completion in zip(prompts, completions, strict=True)
    ]


def ours(options):
    from keras_genai.optimizers import adamw

    policy = both.our_policy(options, both.last_word(options))
    policy.compile(adamw(both.RATE, beta_2=0.999, weight_decay=0.0), jit_compile=True)
    size = both.SHAPES[options.shape]["rows"]
    data = both.repeated(policy.loader(rows(options), size), options.steps)

    def run():
        return both.last_loss(policy.fit(data, shuffle=False, verbose=0))

    run()
    return run


def trl(options):
    from trl import SFTConfig, SFTTrainer

    size = both.SHAPES[options.shape]["rows"]
    return both.learner(options, SFTTrainer, SFTConfig, rows(options), size)


if __name__ == "__main__":
    parser = both.parser()
    with folders.written(both.write, parser):
        results = alternate.main({"ours": ours, "trl": trl}, parser)
    both.report(results, TARGET)
