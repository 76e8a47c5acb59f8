"""Optimizers as language models are trained with them: only matrices decay."""

import keras

# Vectors, by the names Keras gives them: shrinking these helps nobody.
VECTORS = ["bias", "gamma", "beta", "scale"]


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
    optimizer = keras.optimizers.AdamW(
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
    optimizer = keras.optimizers.Muon(
        learning_rate,
        adam_beta_2=0.99,
        weight_decay=weight_decay,
        adam_weight_decay=weight_decay,
        exclude_layers=list(exclude),
        **kwargs,
    )
    optimizer.exclude_from_weight_decay(var_names=VECTORS)
    return optimizer
