"""Iteration of PPO with a critic: ours through `fit`, TRL 1.12's `PPOTrainer`.

Run:  python -m pip install -e ".[bench]"
      python -m pip install trl==1.12.0  # the last one that has PPO
      python benchmarks/ppo_iteration.py --shape 0.8m --steps 3
      python benchmarks/ppo_iteration.py --shape 10m --steps 1 --rounds 5

An iteration: the policy writes one completion of each prompt, which are rated; it and
its critic learn from them in four steps of AdamW, one an epoch. No text ends before its
length. Both keep the policy near a frozen copy by a nat's cost in the rewards. float32,
no gradient checkpointing, no dropout.

What differs is part of what is compared: ours reads values off the policy's own states,
TRL has a second network of the same size for them. Ours rates by a function of the
texts, which are decoded for it; TRL takes a network, here one that says 0 at once.
"""

import alternate
import folders
import trl_peer as both

EPOCHS = 4
COST = 0.05  # of a nat


def prompts(options):
    shape = both.SHAPES[options.shape]
    return both.texts(options, shape["completions"], shape["prompt"])


def ours(options):
    policy = both.our_policy(options)

    import numpy as np

    from keras_genai.optimizers import adamw
    from keras_genai.tasks import GAE, KL, Clipped, PolicyTuning, RolloutSettings
    from keras_genai.training import Rollouts

    shape = both.SHAPES[options.shape]
    count = shape["completions"]
    tuning = PolicyTuning(
        policy,
        both.reward,
        advantages=GAE(),
        objective=Clipped(),
        kl=KL(COST),
        rollouts=RolloutSettings(count, shape["prompt"], shape["completion"]),
    )
    tuning.compile(adamw(both.RATE, beta_2=0.999, weight_decay=0.0), jit_compile=True)
    rows = np.tile(np.arange(count, dtype="int32"), EPOCHS * options.steps)

    def run():
        rollouts = Rollouts(prompts(options), EPOCHS)
        return both.last_loss(
            tuning.fit(
                rows, batch_size=count, shuffle=False, verbose=0, callbacks=[rollouts]
            )
        )

    run()
    return run


def trl(options):
    import datasets
    import transformers
    from trl.experimental.ppo import PPOConfig, PPOTrainer

    model, tokenizer = both.peer(options, both.END)
    critic = transformers.GPT2ForSequenceClassification.from_pretrained(
        options.folder, num_labels=1, pad_token_id=tokenizer.pad_token_id
    )
    shape = both.SHAPES[options.shape]
    count = shape["completions"]
    config = PPOConfig(
        **both.settings(options, per_device_train_batch_size=count),
        total_episodes=count * options.steps,
        num_ppo_epochs=EPOCHS,
        kl_coef=COST,
        response_length=shape["completion"],
        local_rollout_forward_batch_size=count,
        num_sample_generations=0,
        temperature=1.0,
    )
    asked = [{"input_ids": tokenizer(text)["input_ids"]} for text in prompts(options)]
    trainer = PPOTrainer(
        args=config,
        processing_class=tokenizer,
        model=model,
        ref_model=None,
        reward_model=nothing(),
        train_dataset=datasets.Dataset.from_list(asked),
        value_model=critic,
        # It asks for the length of data that it evaluates on, of which there is none.
        eval_dataset=datasets.Dataset.from_list(asked[:1]),
    )
    return both.timed(trainer)


def nothing():
    """A network that rates everything 0, in the manner that TRL reads one."""
    import types

    import torch

    class Nothing(torch.nn.Module):
        base_model_prefix = "states"

        def states(self, input_ids, **_):
            shape = (*input_ids.shape, 1)
            return types.SimpleNamespace(hidden_states=[torch.zeros(shape)])

        def score(self, states):
            return states

    return Nothing()


if __name__ == "__main__":
    parser = both.parser()
    parser.set_defaults(rounds=7)
    with folders.written(both.write, parser):
        sides = {"ours": ours, "trl": trl}
        both.report(alternate.main(sides, parser, unit="iteration"), None)
