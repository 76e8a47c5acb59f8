"""Iteration of GRPO, or its rollout alone: ours through `fit`, TRL's `GRPOTrainer`.

Run:  python -m pip install -e ".[bench]"
      python benchmarks/grpo_iteration.py --shape 0.8m --steps 10
      python benchmarks/grpo_iteration.py --shape 10m --steps 3 --rounds 5
      python benchmarks/grpo_iteration.py --shape 124m --steps 1 --rounds 5
      python benchmarks/grpo_iteration.py --shape 124m --steps 1 --job rollout

An iteration: the policy writes eight completions of each prompt, which are decoded and
rated by a function of their text, and learns from them in one step of AdamW. No text
ends before its length, so that both write as many tokens. GRPO as it was published, one
mean a completion, a deviation a prompt; without a reference unless `--kl` says what a
nat costs. float32, no gradient checkpointing, no dropout.
"""

import alternate
import folders
import trl_peer as both

TARGETS = {
    "iteration": {"124m": 0.65, "10m": 0.45, "0.8m": 0.4},
    "rollout": {"124m": 0.5, "10m": 0.35, "0.8m": 0.35},
}
PROMPTS = 64


def prompts(options):
    return both.texts(options, PROMPTS, both.SHAPES[options.shape]["prompt"])


def ours(options):
    policy = both.our_policy(options)
    if options.job == "rollout":
        return our_rollout(policy, options)

    import numpy as np

    from keras_genai.optimizers import adamw
    from keras_genai.tasks import KL, Clipped, GroupMean, PolicyTuning, RolloutSettings
    from keras_genai.training import Rollouts

    shape = both.SHAPES[options.shape]
    count = shape["completions"]
    tuning = PolicyTuning(
        policy,
        both.reward,
        advantages=GroupMean("group", both.GROUP),
        objective=Clipped(mean="sequence"),
        kl=KL(options.kl, where="loss") if options.kl else None,
        rollouts=RolloutSettings(count, shape["prompt"], shape["completion"]),
    )
    tuning.compile(adamw(both.RATE, beta_2=0.999, weight_decay=0.0), jit_compile=True)
    rows = np.tile(np.arange(count, dtype="int32"), options.steps)

    def run():
        rollouts = Rollouts(prompts(options))
        return both.last_loss(
            tuning.fit(
                rows, batch_size=count, shuffle=False, verbose=0, callbacks=[rollouts]
            )
        )

    run()
    return run


def our_rollout(policy, options):
    from keras_genai.samplers.rollouts import roll

    shape = both.SHAPES[options.shape]
    asked = prompts(options)[: shape["completions"] // both.GROUP]

    def run():
        for seed in range(options.steps):
            found = roll(policy, asked, both.GROUP, shape["completion"], seed)
        return {"tokens": int(found.completion_lengths.sum())}

    run()
    return run


def trl(options):
    model, tokenizer = both.peer(options, both.END)
    if options.job == "rollout":
        return their_rollout(model, tokenizer, options)

    import datasets
    from trl import GRPOConfig, GRPOTrainer

    shape = both.SHAPES[options.shape]
    config = GRPOConfig(
        **both.settings(options, per_device_train_batch_size=shape["completions"]),
        num_generations=both.GROUP,
        max_completion_length=shape["completion"],
        beta=options.kl,
        loss_type="grpo",
        scale_rewards="group",
        temperature=1.0,
        disable_dropout=True,
    )
    trainer = GRPOTrainer(
        model=model,
        args=config,
        reward_funcs=both.reward,
        train_dataset=datasets.Dataset.from_dict({"prompt": prompts(options)}),
        processing_class=tokenizer,
    )
    return both.timed(trainer)


def their_rollout(model, tokenizer, options):
    import torch

    shape = both.SHAPES[options.shape]
    asked = prompts(options)[: shape["completions"] // both.GROUP]
    asked = [text for text in asked for _ in range(both.GROUP)]
    inputs = tokenizer(asked, return_tensors="pt")

    def run():
        with torch.inference_mode():
            for _ in range(options.steps):
                found = model.generate(
                    input_ids=inputs["input_ids"],
                    attention_mask=inputs["attention_mask"],
                    max_new_tokens=shape["completion"],
                    do_sample=True,
                    top_k=0,
                    pad_token_id=tokenizer.pad_token_id,
                )
        written = found.shape[1] - inputs["input_ids"].shape[1]
        return {"tokens": written * len(found)}

    run()
    return run


if __name__ == "__main__":
    parser = both.parser()
    parser.add_argument("--job", choices=TARGETS, default="iteration")
    parser.add_argument("--kl", type=float, default=0.0, help="what a nat costs")
    parser.set_defaults(rounds=7)
    with folders.written(both.write, parser):
        sides = {"ours": ours, "trl": trl}
        results = alternate.main(sides, parser, unit="iteration")
    if results and len(results) == 3:
        options = results["options"]
        target = TARGETS[options["job"]][options["shape"]]
        both.report(results, target)
