"""The table of what samples are worth: a line for what classifiers learned from."""

TITLES = {
    "real": "{real} real",
    "synthetic": "{synthetic} synthetic",
    "both": "{real} real + {synthetic} synthetic",
    "few": "{few} real",
    "few_and_synthetic": "{few} real + {synthetic} synthetic",
    "shuffled": "{synthetic} synthetic, shuffled labels",
}


def lines(record):
    """Yields the lines of the table of a record."""
    test, chance = record["test"], record["chance"]
    yield f"{record['name']} on {record['data']}; {record['labels']}"
    noun = record["noun"]
    yield f"accuracy on {test:,} real test {noun} (the commonest class: {chance:.4f})"
    yield f"{'learned from':36}{'mean':>10}{'deviation':>12}"
    for title, row in titled(record):
        yield f"{title:36}{row['mean']:10.4f}{row['deviation']:12.4f}"
    few = record["few"]
    yield f"the synthetic ones add {record['gain']:+.4f} to {few:,} real ones"


def titled(record):
    """Yields what classifiers learned from, in words, and the figures of it."""
    rows = record["accuracies"]
    sizes = {name: f"{row['samples']:,}" for name, row in rows.items()}
    for name, row in rows.items():
        yield TITLES[name].format(**sizes), row
