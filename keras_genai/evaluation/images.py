"""How far generated pictures are from real ones.

Distances are measured between features, in NumPy float64. None of them means anything
without the *floor* beside it: the same figure for as many real pictures.
"""

import numpy as np

_ROWS = 512  # rows of a distance matrix at once


def frechet_distance(first, second):
    """Squared Frechet distance of two Gaussians fitted to features.

    `|m1 - m2|^2 + tr(C1 + C2 - 2 (C1 C2)^(1/2))`. It is too large for few samples:
    compare only with the same counts.

    Args:
        first: float `(N, D)`.
        second: float `(M, D)`.

    Returns:
        float, 0 for equal means and covariances.

    Raises:
        ValueError: if shapes do not fit, or features are not finite.

    Reference: Heusel et al. 2017, equation 6, https://arxiv.org/abs/1706.08500
    """
    first, second = _checked(first, second)
    gap = first.mean(axis=0) - second.mean(axis=0)
    one = np.atleast_2d(np.cov(first, rowvar=False))
    two = np.atleast_2d(np.cov(second, rowvar=False))
    values, vectors = np.linalg.eigh(one)
    root = (vectors * np.sqrt(values.clip(0))) @ vectors.T
    # C1 C2 has the eigenvalues of the symmetric C1^(1/2) C2 C1^(1/2).
    shared = np.linalg.eigvalsh(root @ two @ root).clip(0)
    distance = gap @ gap + np.trace(one) + np.trace(two) - 2 * np.sqrt(shared).sum()
    return float(max(distance, 0.0))


def kernel_distance(first, second):
    """Squared maximum mean discrepancy with the kernel `(x.y / D + 1)^3`, unbiased.

    It is 0 on average, and may be below 0, if both come from one distribution.

    Args:
        first: float `(N, D)`.
        second: float `(M, D)`.

    Returns:
        float.

    Raises:
        ValueError: as `frechet_distance`.

    Reference: Binkowski et al. 2018, section 4, https://arxiv.org/abs/1801.01401
    """
    first, second = _checked(first, second)

    def mean(a, b, own):
        total = sum(
            np.sum((a[row : row + _ROWS] @ b.T / a.shape[1] + 1) ** 3)
            for row in range(0, len(a), _ROWS)
        )
        if own:  # a sample with itself does not count
            total -= np.sum((np.sum(a * a, axis=1) / a.shape[1] + 1) ** 3)
        return total / (len(a) * (len(b) - own))

    both = mean(first, first, True) + mean(second, second, True)
    return float(both - 2 * mean(first, second, False))


def precision_recall(real, fake, neighbours=3):
    """How many fakes look real, and how much of what is real can be faked.

    A sample belongs to a set if it is as near to one of the set as that one's
    k-th neighbour in the set. Give equally many real and fake.

    Args:
        real: float `(N, D)`, features.
        fake: float `(M, D)`.
        neighbours: int, k.

    Returns:
        `(precision, recall)`, floats in [0, 1].

    Raises:
        ValueError: as `frechet_distance`, or if there are not more than k samples.

    Reference: Kynkäänniemi et al. 2019, section 3, https://arxiv.org/abs/1904.06991
    """
    real, fake = _checked(real, fake)
    if min(len(real), len(fake)) <= neighbours or neighbours < 1:
        raise ValueError(
            "`neighbours` must be at least 1 and below the number of samples. "
            f"Received: {neighbours=}, {len(real)} and {len(fake)} samples"
        )
    return _coverage(real, fake, neighbours), _coverage(fake, real, neighbours)


def label_accuracy(classifier, images, labels):
    """How often a classifier reads the class that was asked for.

    Args:
        classifier: object with `classify(images)`.
        images: uint8 or float pictures `(N, H, W, C)`.
        labels: int `(N,)`.

    Returns:
        float in [0, 1].
    """
    return float(np.mean(classifier.classify(images) == np.asarray(labels)))


def class_entropy(classes, num_classes):
    """Entropy in nats of how often each class comes: `log(num_classes)` if equally.

    Args:
        classes: int `(N,)`.
        num_classes: int.

    Returns:
        float, 0 if all pictures are of one class.
    """
    share = np.bincount(classes, minlength=num_classes) / len(classes)
    share = share[share > 0]
    return float(abs(np.sum(share * np.log(share))))


def score(extractor, real, fake):
    """Every distance of fake pictures from real ones, and the floor.

    The real pictures are shuffled in a fixed way; as many of them as there are fakes,
    or half of them, play the fakes for the floor, and the others are the reference of
    both. If fakes are more than that, the first ones are taken.

    Args:
        extractor: see `keras_genai.evaluation.classifier`.
        real: uint8 pictures or videos `(N, ...)` that no model has seen.
        fake: uint8 or float ones of the same shape, `(M, ...)`.

    Returns:
        dict of str to float: `frechet_distance`, `frechet_floor`, `kernel_distance`,
        `kernel_floor`, `precision`, `recall`, `precision_floor` and `recall_floor`,
        with the extractor's name behind; and `pictures`, how many were scored.

    Raises:
        ValueError: if there are too few pictures.
    """
    if min(len(real), 2 * len(fake)) < 8:
        raise ValueError(
            "`real` must be at least 8 and `fake` 4 pictures. "
            f"Received: {len(real)} and {len(fake)}"
        )
    real = extractor.features(real)
    real = real[np.random.default_rng(0).permutation(len(real))]
    count = min(len(fake), len(real) // 2)
    played, reference = real[:count], real[count:]
    fake = extractor.features(fake[:count])
    figures = {
        "frechet_distance": frechet_distance(reference, fake),
        "frechet_floor": frechet_distance(reference, played),
        "kernel_distance": kernel_distance(reference, fake),
        "kernel_floor": kernel_distance(reference, played),
    }
    for end, other in (("", fake), ("_floor", played)):
        precision, recall = precision_recall(reference[:count], other)
        figures |= {f"precision{end}": precision, f"recall{end}": recall}
    named = {f"{key}_{extractor.name}": value for key, value in figures.items()}
    return {**named, "pictures": float(count)}


def _coverage(points, others, neighbours):
    """Share of `others` inside the union of balls around `points`."""
    radii = np.concatenate(
        [
            np.partition(rows, neighbours, axis=1)[:, neighbours]  # itself is the 0-th
            for rows in _distances(points, points)
        ]
    )
    inside = [(rows <= radii).any(axis=1) for rows in _distances(others, points)]
    return float(np.concatenate(inside).mean())


def _distances(first, second):
    """Squared distances, some rows at a time: yields float64 `(rows, M)`."""
    squares = np.sum(second * second, axis=1)
    for row in range(0, len(first), _ROWS):
        part = first[row : row + _ROWS]
        own = np.sum(part * part, axis=1)[:, None]
        yield (own + squares - 2 * part @ second.T).clip(0)


def _checked(first, second):
    first, second = np.asarray(first, "float64"), np.asarray(second, "float64")
    shapes = first.shape, second.shape
    fit = all(len(shape) == 2 and shape[0] > 1 for shape in shapes)
    if not fit or shapes[0][1] != shapes[1][1]:
        raise ValueError(
            "Features must be of shapes (N, D) and (M, D), N and M at least 2. "
            f"Received: {shapes[0]} and {shapes[1]}"
        )
    if not (np.isfinite(first).all() and np.isfinite(second).all()):
        raise ValueError("Features must be finite. Received: NaN or infinity")
    return first, second
