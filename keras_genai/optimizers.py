"""Optimizers as language models are trained with them: only matrices decay."""

import keras

from keras_genai import compat

__all__ = [
    "AdamW",
    "GradualAdamW",
    "Muon",
    "adamw",
    "muon",
]

# Vectors, by the names Keras gives them: shrinking these helps nobody.
VECTORS = ["bias", "gamma", "beta", "scale"]


class _Selective:
    """An optimizer whose files know what weight decay leaves alone.

    Keras forgets `exclude_from_weight_decay`: a model that was saved and opened would
    go on otherwise.

    Attributes:
        excluded: tuple of str. Patterns of the names of weights.
    """

    excluded = ()

    def exclude_from_weight_decay(self, var_list=None, var_names=None):
        """See Keras; only by name, because no file could tell the weights of a list.

        Raises:
            ValueError: if there is a `var_list`.
        """
        if var_list:
            raise ValueError(
                "`var_list` must be None: what is to be left alone is known by its "
                f"name, `var_names`. Received: {len(var_list)} variables"
            )
        super().exclude_from_weight_decay(var_names=var_names)
        self.excluded = tuple(var_names or ())

    def get_config(self):
        return {**super().get_config(), "excluded": list(self.excluded)}

    @classmethod
    def from_config(cls, config, custom_objects=None):
        config = dict(config)
        excluded = config.pop("excluded", ())
        optimizer = super().from_config(config, custom_objects)
        if excluded:
            optimizer.exclude_from_weight_decay(var_names=excluded)
        return optimizer


@keras.saving.register_keras_serializable(package="keras_genai")
class AdamW(_Selective, keras.optimizers.AdamW):
    """`keras.optimizers.AdamW` that keeps in its files which weights do not decay."""


@keras.saving.register_keras_serializable(package="keras_genai")
class Muon(_Selective, keras.optimizers.Muon):
    """`keras.optimizers.Muon` that keeps in its files which weights do not decay."""


def adamw(learning_rate, beta_2=0.99, weight_decay=0.1, clip=1.0, **kwargs):
    """AdamW that decays matrices and leaves biases and norms alone.

    Args:
        learning_rate: float or schedule.
        beta_2: float.
        weight_decay: float.
        clip: float. Largest global norm of the gradient.
        **kwargs: of `keras.optimizers.AdamW`, for instance `use_ema`.

    Reference: Loshchilov & Hutter 2019, https://arxiv.org/abs/1711.05101
    """
    optimizer = AdamW(
        learning_rate,
        beta_2=beta_2,
        weight_decay=weight_decay,
        global_clipnorm=clip,
        **kwargs,
    )
    optimizer.exclude_from_weight_decay(var_names=VECTORS)
    return optimizer


def muon(learning_rate, weight_decay=0.1, exclude=("head",), **kwargs):
    """Muon for the matrices inside, AdamW for tables, heads and vectors.

    Its steps are scaled to the size of AdamW's, so that rates carry over.

    Args:
        learning_rate: float or schedule.
        weight_decay: float.
        exclude: names of layers that AdamW trains, embeddings apart.
        **kwargs: of `keras.optimizers.Muon`, for instance `use_ema`.

    Reference: Jordan 2024, https://kellerjordan.github.io/posts/muon; Liu et al.
        2025, section 2.2, https://arxiv.org/abs/2502.16982
    """
    optimizer = Muon(
        learning_rate,
        adam_beta_2=0.99,
        weight_decay=weight_decay,
        adam_weight_decay=weight_decay,
        exclude_layers=list(exclude),
        **kwargs,
    )
    optimizer.exclude_from_weight_decay(var_names=VECTORS)
    return optimizer


@keras.saving.register_keras_serializable(package="keras_genai")
class GradualAdamW(_Selective, keras.optimizers.AdamW):
    """AdamW that sets layers free one group after the other, from the head down.

    Nothing is switched in the model, so that a run goes on exactly where it stopped:
    the rate of a group that is not free yet is zero. Its moments are known by the time
    it is set free.

    Args:
        learning_rate: float or schedule.
        groups: sequence of groups, the head's first, each a sequence of names of
            layers. What is in none belongs to the last one.
        every: int >= 1. Steps between two groups.
        decay: float >= 1. Each group learns slower than the one before by this.
        **kwargs: of `keras.optimizers.AdamW`.

    Raises:
        ValueError: if there is no group, or if `every` or `decay` is below 1.

    Reference: Howard & Ruder 2018, section 3.3 (and 3.2 for `decay`, there 2.6),
        https://arxiv.org/abs/1801.06146
    """

    def __init__(
        self, learning_rate=0.001, groups=(("head",),), every=1, decay=1.0, **kwargs
    ):
        super().__init__(learning_rate, **kwargs)
        groups = [
            [group] if isinstance(group, str) else list(group) for group in groups
        ]
        if not groups or every < 1 or decay < 1:
            raise ValueError(
                "`groups` must not be empty, `every` and `decay` be at least 1. "
                f"Received: {groups=}, {every=}, {decay=}"
            )
        self.groups = groups
        self.every = every
        self.decay = decay

    def build(self, var_list):
        if not self.built:
            self._places = [self._group_of(variable) for variable in var_list]
        super().build(var_list)

    def _group_of(self, variable):
        parts = variable.path.split("/")
        for place, names in enumerate(self.groups):
            if any(name in parts for name in names):
                return place
        return len(self.groups) - 1

    def update_step(self, gradient, variable, learning_rate):
        place = self._places[compat.variable_index(self, variable)]
        free = keras.ops.cast(self.iterations >= place * self.every, variable.dtype)
        rate = keras.ops.cast(learning_rate, variable.dtype) / self.decay**place * free
        if self.weight_decay is not None and compat.decays(self, variable):
            self.assign_sub(variable, variable * self.weight_decay * rate)
        super().update_step(gradient, variable, rate)

    def _apply_weight_decay(self, variables):
        pass  # `update_step` does it, at each group's own rate

    def get_config(self):
        return {
            **super().get_config(),
            "groups": self.groups,
            "every": self.every,
            "decay": self.decay,
        }
