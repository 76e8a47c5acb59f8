"""Step of preferences: ours through `fit` of `PreferenceTuning`, TRL's `DPOTrainer`.

Run:  python -m pip install -e ".[bench]"
      python benchmarks/dpo_step.py --shape 0.8m --steps 20
      python benchmarks/dpo_step.py --shape 10m --steps 5 --rounds 7
      python benchmarks/dpo_step.py --shape 124m --steps 2 --rounds 5
      python benchmarks/dpo_step.py --shape 124m --steps 2 --rounds 5 --stored

Pairs of words, the sigmoid loss, the reference a frozen copy that is computed in every
step; with `--stored` both sides have its log-probabilities from before. AdamW with
clipping at 1, float32, no gradient checkpointing.
"""

import alternate
import folders
import trl_peer as both

TARGET = 0.8


def rows(options):
    shape = both.SHAPES[options.shape]
    count = shape["pairs"] * options.steps
    prompts = both.texts(options, count, shape["prompt"])
    sides = (
        both.texts(options, count, shape["completion"] - 1, seed=seed)
        for seed in (1, 2)
    )
    return [
        {"prompt": prompt, "chosen": chosen, "rejected": rejected}
        for prompt, chosen, rejected in zip(prompts, *sides, strict=True)
    ]


def ours(options):
    from keras_genai.optimizers import adamw
    from keras_genai.preferences import Sigmoid
    from keras_genai.tasks import PreferenceTuning

    policy = both.our_policy(options, both.last_word(options))
    tuning = PreferenceTuning(policy, loss=Sigmoid(beta=0.1))
    tuning.compile(adamw(both.RATE, beta_2=0.999, weight_decay=0.0), jit_compile=True)
    size = both.SHAPES[options.shape]["pairs"]
    loader = tuning.loader(rows(options), size, store_reference=options.stored)
    data = both.repeated(loader, options.steps)

    def run():
        return both.last_loss(tuning.fit(data, shuffle=False, verbose=0))

    run()
    return run


def trl(options):
    from trl import DPOConfig, DPOTrainer

    size = both.SHAPES[options.shape]["pairs"]
    return both.learner(
        *(options, DPOTrainer, DPOConfig, rows(options), size),
        beta=0.1,
        precompute_ref_log_probs=options.stored,
    )


if __name__ == "__main__":
    parser = both.parser()
    parser.add_argument(
        "--stored", action="store_true", help="log-probabilities of the reference"
    )
    with folders.written(both.write, parser):
        results = alternate.main({"ours": ours, "trl": trl}, parser)
    both.report(results, TARGET)
