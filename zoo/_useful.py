"""What a model's samples are worth to a classifier: the verb `useful`."""

import json

from zoo._command import say
from zoo._opening import locate, open_model

OUT = "runs/useful/{}"  # its folder, unless `--out` names another
RECORD, PICTURE, KEPT = "useful.json", "useful.png", "kept"
FEW, SEEDS = 100, 3


def useful(options):
    """Says what a model's samples are worth to a classifier that reads real ones.

    Samples are pictures, or rows of a table whose target has classes. Classifiers learn
    from real training samples, from as many that the model draws, and from both; from a
    few real ones, alone and with the drawn ones; and, for control, from drawn ones
    whose labels are shuffled. All are tested on real test samples. What is drawn and
    learned is kept in the folder of --out: a command that was interrupted goes on.
    """
    place = locate(options.name, options.preset)
    model = open_model(place, options.name, "sample", options.weights)
    from keras_genai.evaluation.usefulness import score_usefulness
    from keras_genai.files.writing import write_bytes, write_text
    from zoo import _useful_kinds, _useful_picture, _useful_samples, _useful_table

    kind = _useful_kinds.kind_of(model, options.name)
    data = _useful_samples.data(kind, options)
    _check_few(options.real, data.real)
    folder = _folder(options, model)
    made = _useful_samples.synthetic(kind, data, options, folder / KEPT)
    say("zoo", f"training classifiers on {data.name}, of {options.seeds} seeds")
    learn = _useful_samples.remembering(kind.learn, folder / KEPT)
    found = score_usefulness(
        data.real, made.samples, data.test, learn, options.real, options.seeds
    )
    record = _record(options, data, made, found)
    write_text(folder / RECORD, json.dumps(record, indent=1) + "\n")
    write_bytes(folder / PICTURE, _useful_picture.picture(record))
    print("\n".join(_useful_table.lines(record)))
    print(f"recorded in {folder}")


def _check_few(few, real):
    if few > len(real):
        raise ValueError(
            f"`--real` must be at most the number of real training samples, "
            f"{len(real):,}. Received: {few}"
        )


def _folder(options, model):
    """The folder that a record and what is kept go to, made now."""
    from keras_genai.files.paths import as_path

    out = OUT.format(model.name) if options.out is None else options.out
    folder = as_path(out, "--out")
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"`--out` must be a folder. Received: {out}")
    (folder / KEPT).mkdir(parents=True, exist_ok=True)
    return folder


def _record(options, data, made, found):
    """What was measured, as JSON has it."""
    import datetime

    rows = {
        name: {
            "samples": each.samples,
            "mean": each.mean,
            "deviation": each.deviation,
            "values": each.values,
        }
        for name, each in found.items()
    }
    return {
        "name": options.name,
        "data": data.name,
        "noun": data.noun,
        "labels": made.labels,
        "drawing": made.options,
        "seed": options.seed,
        "few": options.real,
        "seeds": options.seeds,
        "test": len(data.test),
        "chance": data.chance,
        "accuracies": rows,
        "gain": rows["few_and_synthetic"]["mean"] - rows["few"]["mean"],
        "date": datetime.date.today().isoformat(),
    }
