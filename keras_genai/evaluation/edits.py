"""Edit distance: how many symbols must change to make one sequence another."""


def edit_distance(found, truth):
    """The fewest insertions, deletions and substitutions between two sequences.

    Args:
        found: str, or sequence of anything that can be compared.
        truth: likewise.

    Returns:
        int.

    Reference: Levenshtein 1966; Wagner & Fischer 1974
    """
    row = list(range(len(truth) + 1))
    for place, symbol in enumerate(found, 1):
        last, row = row, [place]
        for index, wanted in enumerate(truth):
            changed = last[index] + (symbol != wanted)
            row.append(min(changed, last[index + 1] + 1, row[index] + 1))
    return row[-1]
