"""Ways of fine-tuning a small BERT on SST-2: parameters, memory, seconds, accuracy.

Run:  python train.py bert_sst2_mlm --data-dir DIR_WITH_sst2
      python benchmarks/fine_tuning.py --folder runs/bert_sst2_mlm/preset \
          --data-dir DIR_WITH_sst2

Every way starts from the weights of `--folder` and a new head, sees the same sentences
in `--steps` updates of `--batch` sentences, and runs in a process of its own. The fewer
weights are trained, the larger the rate. "Recomputed" is gradient checkpointing;
"accumulated" reads a quarter of a batch at a time. Printed is a table in Markdown.
Memory is the peak of the process; in brackets, what training added to it, compilation
included. Seconds are those of the training without compilation.
"""

import argparse
import json
import subprocess
import sys
import time

import alternate

LENGTH, DROPOUT = 48, 0.3
PARTS = 4  # of a batch, for accumulation


def whole(model, options):
    return adamw(options, 3e-4)


def head(model, options):
    from keras_genai.tasks.freezing import freeze_all_but

    freeze_all_but(model, "head")
    return adamw(options, 1e-2)


def last(model, options):
    from keras_genai.tasks.freezing import freeze_all_but_last

    freeze_all_but_last(model, options.last)
    return adamw(options, 1e-3)


def lora(model, options):
    from keras_genai.layers import adapters

    names = ("query", "memory", "output")
    adapters.add(model, names, options.rank, 2 * options.rank, whole=("classifier",))
    return adamw(options, 3e-3)


def gradual(model, options):
    from keras_genai.optimizers import VECTORS, GradualAdamW
    from keras_genai.schedules import warmup_cosine

    blocks = [[block.name] for block in reversed(model.network.blocks)]
    groups = [["classifier"], *blocks, ["embedding"]]
    optimizer = GradualAdamW(
        warmup_cosine(1e-3, max(1, options.steps // 10), options.steps),
        groups,
        every=max(1, options.steps // (2 * len(groups))),
        decay=1.5,
        beta_2=0.99,
        weight_decay=0.1,
        global_clipnorm=1.0,
    )
    optimizer.exclude_from_weight_decay(var_names=VECTORS)
    return optimizer


def checkpointed(model, options):
    from keras_genai.layers.recompute import recompute_blocks

    recompute_blocks(model)
    return whole(model, options)


def accumulated(model, options):
    return adamw(options, 3e-4, gradient_accumulation_steps=PARTS)


WAYS = {
    "whole weights": whole,
    "head": head,
    "last blocks": last,
    "LoRA": lora,
    "gradual unfreezing": gradual,
    "whole weights recomputed": checkpointed,
    "whole weights accumulated": accumulated,
}


def adamw(options, rate, **kwargs):
    from keras_genai import optimizers, schedules

    warmup = max(1, options.steps // 10)
    schedule = schedules.warmup_cosine(rate, warmup, options.steps)
    return optimizers.adamw(schedule, **kwargs)


def fine_tune(options):
    """Trains in one way; prints its figures as JSON."""
    import keras
    import numpy as np

    import keras_genai
    from keras_genai.data import sentiment
    from keras_genai.modalities.text import Label
    from keras_genai.tasks.classification import SequenceClassifier
    from keras_genai.tasks.freezing import trained_parameters

    keras.utils.set_random_seed(options.seed)
    opened = keras_genai.from_preset(options.folder)
    label = Label(len(sentiment.LABELS), sentiment.LABELS)
    model = SequenceClassifier(
        opened.network, label, opened.given, DROPOUT, pooling="mean"
    )
    parts = PARTS if options.way.endswith("accumulated") else 1
    splits = sentiment.sst2(
        options.batch // parts,
        options.seed,
        options.data_dir,
        length=LENGTH,
        tokenizer=opened.tokenizer,
    )
    model.compile(
        optimizer=WAYS[options.way](model, options),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        jit_compile=True,
    )
    before, times = alternate.peak_mib(), []
    clock = keras.callbacks.LambdaCallback(
        on_train_batch_end=lambda batch, logs: times.append(time.perf_counter())
    )
    steps = options.steps * parts
    data = splits.train.dataset(0)
    model.fit(data, steps_per_epoch=steps, shuffle=False, verbose=0, callbacks=[clock])
    peak = alternate.peak_mib()

    def accuracy(arrays):
        inputs = {name: arrays[name] for name in ("tokens", "tokens_mask")}
        logits = model.predict(inputs, batch_size=64, verbose=0)
        return float(np.mean(np.argmax(logits, axis=-1) == arrays["labels"]))

    figures = {
        "parameters": trained_parameters(model),
        "peak": peak,
        "gained": peak - before,
        "seconds": (times[-1] - times[0]) * steps / max(1, steps - 1),
        "validation": accuracy(splits.held_out),
        "test": accuracy(splits.test),
    }
    print(json.dumps(figures))


def row(way, figures):
    cells = (
        way,
        f"{figures['parameters']:,}",
        f"{figures['peak']:.0f} (+{figures['gained']:.0f})",
        f"{figures['seconds']:.0f}",
        f"{figures['validation']:.1%}",
        f"{figures['test']:.1%}",
    )
    return f"| {' | '.join(cells)} |"


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--folder", required=True, help="preset of a pretrained BERT")
    parser.add_argument("--data-dir", help="where the folder `sst2` lies")
    parser.add_argument("--steps", type=int, default=600, help="updates")
    parser.add_argument("--batch", type=int, default=32, help="sentences an update")
    parser.add_argument("--last", type=int, default=1, help="blocks of `last blocks`")
    parser.add_argument("--rank", type=int, default=8, help="of LoRA")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--ways", default=",".join(WAYS), help="comma-separated subset")
    parser.add_argument("--way", choices=WAYS, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.way:
        fine_tune(options)
        sys.exit()
    columns = "way", "trained parameters", "peak MiB", "seconds", "validation", "test"
    print(f"| {' | '.join(columns)} |\n|---|{'---:|' * (len(columns) - 1)}")
    for way in options.ways.split(","):
        answer = subprocess.run(
            [sys.executable, *sys.argv, "--way", way],
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        print(row(way, json.loads(answer.stdout.splitlines()[-1])), flush=True)
