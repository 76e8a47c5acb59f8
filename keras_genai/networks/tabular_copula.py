"""Copula: normal numbers that belong together, as rows of a table."""

import statistics

import numpy as np
from keras import ops

from keras_genai.networks.tabular import TableNetwork
from keras_genai.registry import register

KNOTS = 129  # of the quantiles of a column
LAST = 3.2  # the score of the last one: one of 1,455 numbers lies beyond
_NEVER = 1e9  # an edge that no number is beyond


@register
class Copula(TableNetwork):
    """A Gaussian copula: correlations, and what each column is by itself.

    It has no weights that train; `learn` finds all of them at once. With classes, each
    has correlations and columns of its own.

    Args:
        numbers, categories, num_classes: see `tabular.TableNetwork`.
        shrinkage: float from 0 to 1, by which correlations are drawn towards 0, so that
            few rows do not make numbers exactly dependent.

    Call arguments:
        noise: float32 `(B, N + C)`, standard normal.
        labels: int `(B,)`, or `None` without classes.

    Returns:
        `(numbers, categories)`: float32 `(B, N)`, and int32 `(B, C)`.

    Reference: Nelsen 2006, An Introduction to Copulas; Patki et al. 2016 (for tables),
        https://doi.org/10.1109/DSAA.2016.49
    """

    shrinkage: float = 0.01

    def make(self):
        groups, most = self.num_classes or 1, max(self.categories, default=1)
        self.grid = np.linspace(-LAST, LAST, KNOTS)
        size = self.numbers + len(self.categories)

        def weight(name, start):
            return self.add_weight(
                start.shape,
                initializer=lambda shape, dtype: ops.convert_to_tensor(start, dtype),
                dtype="float32",
                trainable=False,
                name=name,
            )

        self.root = weight("root", np.tile(np.eye(size), (groups, 1, 1)))
        knots = np.tile(self.grid, (groups, self.numbers, 1))
        self.knots = weight("knots", knots)
        edges = [_edges(np.full(n, 1 / n), most) for n in self.categories]
        shape = (groups, len(self.categories), most - 1)
        self.edges = weight(
            "edges", np.broadcast_to(np.reshape(edges, shape[1:]), shape)
        )

    def call(self, noise, labels=None):
        if labels is None:
            labels = ops.zeros_like(ops.cast(noise[:, 0], "int32"))
        noise = ops.cast(noise, "float32")
        root = ops.take(ops.convert_to_tensor(self.root), labels, axis=0)
        scores = ops.squeeze(ops.matmul(noise[:, None], root), axis=1)
        place = (scores[:, : self.numbers] + LAST) * ((KNOTS - 1) / (2 * LAST))
        place = ops.clip(place, 0.0, KNOTS - 1.001)
        low = ops.cast(place, "int32")
        knots = ops.take(ops.convert_to_tensor(self.knots), labels, axis=0)
        ends = [
            ops.take_along_axis(knots, (low + more)[:, :, None], axis=-1)[:, :, 0]
            for more in (0, 1)
        ]
        share = place - ops.cast(low, "float32")
        numbers = ends[0] + share * (ends[1] - ends[0])
        edges = ops.take(ops.convert_to_tensor(self.edges), labels, axis=0)
        beyond = scores[:, self.numbers :, None] > edges
        return numbers, ops.sum(ops.cast(beyond, "int32"), axis=-1)

    def learn(self, numbers, categories, labels, known):
        """Finds correlations and columns of rows.

        Args:
            numbers: float `(N, N')`, normal scores.
            categories: int `(N, C)`.
            labels: int `(N,)`, or `None` without classes.
            known: float `(N, N')`, 0 where a number is missing.

        Returns:
            float: nats a row, minus the mean logarithm of the copula's density.
        """
        groups = self.num_classes or 1
        labels = np.zeros(len(numbers), int) if labels is None else labels
        root, knots, edges = (w.numpy() for w in (self.root, self.knots, self.edges))
        total = 0.0
        for group in range(groups):
            rows = labels == group
            # A class that nobody saw is like all of them.
            rows = rows if rows.any() else np.ones_like(rows)
            scores = self._learn_columns(
                *(part[rows] for part in (numbers, categories, known)),
                *(part[group] for part in (knots, edges)),
            )
            correlation = _correlation(scores, self.shrinkage)
            values, vectors = np.linalg.eigh(correlation)
            root[group] = (vectors * np.sqrt(values)) @ vectors.T
            if (labels == group).any():
                total += _nats(scores, values, vectors)
        for weight, value in zip(
            (self.root, self.knots, self.edges), (root, knots, edges), strict=True
        ):
            weight.assign(value)
        return total / len(numbers)

    def _learn_columns(self, numbers, categories, known, knots, edges):
        """The normal scores of rows among themselves, float64 `(N, N' + C)`.

        Knots `(N', KNOTS)` and edges `(C, most - 1)` are filled in.
        """
        found = []
        chances = [statistics.NormalDist().cdf(score) for score in self.grid]
        for place in range(self.numbers):
            there = known[:, place] > 0
            scores = np.zeros(len(numbers))
            if there.any():
                values = numbers[there, place].astype("float64")
                knots[place] = np.quantile(values, chances, method="hazen")
                scores[there] = _ranks(values)
            found.append(scores)
        for place, size in enumerate(self.categories):
            codes = categories[:, place]
            shares = np.bincount(codes, minlength=size) / len(codes)
            edges[place] = _edges(shares, edges.shape[-1] + 1)
            middles = np.cumsum(shares) - shares / 2
            found.append(_scores(middles)[codes])
        return np.stack(found, axis=1)


def _scores(chances):
    """Normal scores; chances of 0 and 1 have one, too."""
    inverse = statistics.NormalDist().inv_cdf
    return np.array([inverse(min(max(chance, 1e-9), 1 - 1e-9)) for chance in chances])


def _ranks(values):
    """Normal scores of ranks, equal ones in the middle of theirs."""
    _, place, counts = np.unique(values, return_inverse=True, return_counts=True)
    middles = (np.cumsum(counts) - counts / 2) / len(values)
    return _scores(middles)[place]


def _edges(shares, most):
    """float `(most - 1,)`: the scores between categories."""
    between = _scores(np.cumsum(shares)[:-1])
    return np.pad(between, (0, most - len(shares)), constant_values=_NEVER)


def _correlation(scores, shrinkage):
    centred = scores - scores.mean(axis=0)
    deviation = np.sqrt(np.square(centred).mean(axis=0))
    unit = centred / np.where(deviation > 1e-6, deviation, np.inf)
    found = (1 - shrinkage) * unit.T @ unit / len(scores)
    np.fill_diagonal(found, 1.0)
    return found


def _nats(scores, values, vectors):
    """Minus the logarithm of the copula's density, summed over rows."""
    turned = scores @ vectors
    squares = np.square(turned) @ (1 / values) - np.square(scores).sum(axis=1)
    return float(0.5 * (squares.sum() + len(scores) * np.log(values).sum()))
