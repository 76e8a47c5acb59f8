"""Training step of nanoGPT's CPU shape: ours through `fit`, transformers' GPT-2 eager.

Run:  python -m pip install -e ".[bench]" && python benchmarks/gpt_step.py

4 layers, 4 heads, width 128, 12 x 64 tokens of 65 symbols, no dropout, AdamW with
clipping at 1, float32: forward, backward and update.
"""

import alternate
import fitting
import peers

VOCABULARY, DEPTH, HEADS, WIDTH = 65, 4, 4, 128
BATCH, LENGTH = 12, 64
STEPS_PER_EXECUTION = 10


def batches(steps):
    import numpy as np

    tokens = np.random.default_rng(0).integers(
        0, VOCABULARY, (steps * BATCH, LENGTH + 1), dtype=np.int32
    )
    return tokens[:, :-1], tokens[:, 1:]


def ours(options):
    import keras
    import tensorflow as tf

    from keras_genai.networks.gpt import GPT
    from keras_genai.optimizers import adamw
    from keras_genai.tasks.language import CausalLM

    tf.config.threading.set_intra_op_parallelism_threads(options.threads)
    sizes = dict(context=LENGTH, depth=DEPTH, width=WIDTH, num_heads=HEADS)
    model = CausalLM(GPT(vocabulary_size=VOCABULARY, **sizes))
    model.compile(
        optimizer=adamw(1e-3),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
        steps_per_execution=min(STEPS_PER_EXECUTION, options.steps),
    )
    return fitting.rounds(model, batches(options.steps), BATCH)


def torch_eager(options):
    import torch
    import transformers

    torch.set_num_threads(options.threads)
    model = transformers.GPT2LMHeadModel(
        transformers.GPT2Config(
            vocab_size=VOCABULARY,
            n_positions=LENGTH,
            n_embd=WIDTH,
            n_layer=DEPTH,
            n_head=HEADS,
            resid_pdrop=0.0,
            embd_pdrop=0.0,
            attn_pdrop=0.0,
            use_cache=False,
        )
    )
    optimizer = peers.adamw(model, 1e-3, 0.1, betas=(0.9, 0.99))
    tokens, targets = (torch.from_numpy(part).long() for part in batches(options.steps))

    def run():
        for start in range(0, len(tokens), BATCH):
            logits = model(tokens[start : start + BATCH]).logits
            loss = torch.nn.functional.cross_entropy(
                logits.flatten(0, 1), targets[start : start + BATCH].flatten()
            )
            optimizer.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()

    run()
    return run


if __name__ == "__main__":
    results = alternate.main({"ours": ours, "torch_eager": torch_eager})
    if results and len(results) == 3:
        alternate.print_ratio(results, "ours", "torch_eager", 0.75)
