"""Bounds on what a config may ask for, by what its weights file holds.

A model is built from its config before its weights are compared with the file, so that
their names are known. What a config says must not be able to make that take long, or
take memory: see `check_config` for what is counted before, and `Allowance` for what is
counted on the way.
"""

import math

# Arguments that say how many layers there are; each has at least a weight.
COUNTS = {
    *("depth", "encoder_depth", "decoder_depth", "mapping_depth", "num_layers"),
    *("num_blocks", "blocks", "residual_blocks", "order", "discriminator_steps"),
}
# Arguments that must be above 0 wherever they are a number.
SIZES = COUNTS - {"residual_blocks"} | {
    *("vocabulary_size", "context", "width", "num_heads", "units", "embedding_dim"),
    *("latent_size", "latent", "levels", "patch", "num_codes", "text_length"),
}
FREE = {"seed", "warm_up"}  # arguments that cost nothing
LARGEST = 2**24  # of any other int, and of the numbers of a picture
FEW = 64  # layers that any config may ask for
PACKED = "U8"  # two numbers of 4 bits
DTYPES = {
    *("float32", "float16", "bfloat16", "float64", "mixed_float16", "mixed_bfloat16"),
}


def check_config(config, num_tensors):
    """Refuses a config that asks for more than a file of `num_tensors` can be about.

    Args:
        config: dict of plain data, objects as `keras_genai.registry.to_plain` does.
        num_tensors: int.

    Raises:
        ValueError: if a number is out of its range, if a list is longer than there can
            be layers, or if there is a dict that is no object.
    """
    for name, value in config.items():
        _check(name, value, FEW + num_tensors)


def _check(name, value, most):
    if isinstance(value, dict):
        if value.keys() != {"class", "config"} or not isinstance(value["config"], dict):
            _refuse(name, "a number, a str, a list or an object", value)
        for inner, item in value["config"].items():
            _check(inner, item, most)
    elif isinstance(value, list):
        _check_list(name, value, most)
    elif name == "dtype" and value not in DTYPES:
        _refuse(name, f"one of {', '.join(sorted(DTYPES))}", value)
    elif isinstance(value, int | float) and not isinstance(value, bool):
        _check_number(name, value, most)


def _check_list(name, values, most):
    numbers = [value for value in values if isinstance(value, int)]
    if numbers and len(values) > most and name not in ("suppress_tokens",):
        _refuse(name, f"a list of at most {most} numbers", f"{len(values)}")
    if name.endswith("_shape") and abs(math.prod(numbers)) > LARGEST:
        _refuse(name, f"of at most {LARGEST} numbers", values)
    for value in values:
        _check(name, value, most)


def _check_number(name, value, most):
    if not math.isfinite(value):
        _refuse(name, "finite", value)
    if name in SIZES and value <= 0:
        _refuse(name, "above 0", value)
    if name in COUNTS and value > most:
        _refuse(name, f"at most {most} with these weights", value)
    if name not in FREE and abs(value) > LARGEST:
        _refuse(name, f"at most {LARGEST}", value)


def _refuse(name, allowed, value):
    raise ValueError(f"`{name[:80]}` must be {allowed}. Received: {str(value)[:80]}")


class Allowance:
    """How many weights, and how many numbers in them, a model may have.

    Args:
        tensors: iterable of `keras_genai.files.tensors.Tensor`, its weights file.
    """

    # Beside what a preset holds there are random states, and pictures of a pool.
    MORE_WEIGHTS, MORE_NUMBERS = 64, 2**25

    def __init__(self, tensors):
        numbers = [
            math.prod(tensor.shape) * (2 if tensor.dtype == PACKED else 1)
            for tensor in tensors
        ]
        self.weights = 3 * len(numbers) + self.MORE_WEIGHTS
        # Twice, because a matrix of few bits takes the place of one of floats.
        self.numbers = 2 * sum(numbers) + self.MORE_NUMBERS

    def take(self, variable):
        """Counts a weight that is about to be.

        Raises:
            ValueError: if it is one too many.
        """
        self.weights -= 1
        self.numbers -= math.prod(variable.shape)
        if self.weights < 0 or self.numbers < 0:
            raise ValueError(
                "it describes a model of more weights than the file holds, from "
                f"{variable.path[:80]} {tuple(variable.shape)} on"
            )
