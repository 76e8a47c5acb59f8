"""Models whose arguments are declared once, as fields of their class.

    @register
    class Tower(Network):
        width: Size
        dropout: Rate = 0.0
        style: Style = GPT2

        def make(self):
            self.dense = keras.layers.Dense(self.width, name="dense")

The fields are the signature of the constructor, what it checks, the attributes of the
model, its config, and what `--set` may change. `make` builds the layers as soon as
every field has a value.
"""

import functools
import inspect
import math
import types
import typing
from typing import Annotated, Any

import keras

from keras_genai import checks, compat, registry

__all__ = [
    "LATER",
    "Count",
    "Declared",
    "ImageOrVideoShape",
    "ImageShape",
    "Later",
    "Levels",
    "NotNegative",
    "Positive",
    "Rate",
    "Share",
    "Size",
    "Sizes",
    "fields",
    "part",
]

OF_KERAS = ("name", "dtype", "trainable")
IN_ORDER = inspect.Parameter.POSITIONAL_OR_KEYWORD
BY_NAME = inspect.Parameter.KEYWORD_ONLY


class Later:
    """The value of a field that a task fills in: it follows from the samples."""

    def __repr__(self):
        return "what the task's samples have"


LATER: Any = Later()


def _number(allowed, accepts):
    return functools.partial(checks.check_number, allowed=allowed, accepts=accepts)


# Annotations of fields. What stands behind a type is called with name and value.
Size = Annotated[int, checks.check_size]
Count = Annotated[int, lambda name, value: checks.check_sizes(**{name: value})]
Rate = Annotated[float, lambda name, value: checks.check_rates(**{name: value})]
Levels = Annotated[int, functools.partial(checks.check_size, least=2)]
Share = Annotated[float, _number("in [0, 1]", lambda value: 0 <= value <= 1)]
Positive = Annotated[float, _number("above 0", lambda value: value > 0)]
Finite = Annotated[float, _number("finite", math.isfinite)]
NotNegative = Annotated[float, _number("at least 0", lambda value: value >= 0)]
Sizes = Annotated[tuple[int, ...], checks.check_layer_sizes]
ImageShape = Annotated[tuple[int, ...], checks.check_image_shape]
ImageOrVideoShape = Annotated[
    tuple[int, ...], functools.partial(checks.check_image_shape, ranks=(3, 4))
]


def part(needs, module):
    """The rule of a field that holds an object with an attribute.

    Args:
        needs: str, what the objects of its kind have.
        module: str, where they are.
    """
    return functools.partial(checks.check_part, needs=needs, module=module)


class Declared(keras.Model):
    """A `keras.Model` made from fields.

    A subclass writes its arguments as annotated attributes, in order, and `make`, which
    builds all layers and names every one of them. The annotation says what a value may
    be; `check` looks at several fields together. A subclass may also have a
    constructor of its own, as any Keras model, and then a `get_config`, too.

    Attributes:
        in_order: bool. Whether fields may be given by their places, too.
        casts_inputs: bool. Whether floats come in the compute dtype; pictures do not,
            since bfloat16 cannot tell neighbouring greys.
        changes: tuple of registered objects with `apply(model)`: what was done to the
            model after it was made, such as adapters. Part of its config.

    Args:
        name: str or `None`: that of the class, in small letters.
        dtype: Keras dtype policy, or `None`: that of the process.

    Raises:
        TypeError: if a field is missing or of a wrong type, or there is none of this
            name.
        ValueError: if a value is out of its range.
    """

    in_order = False
    casts_inputs = True
    changes: typing.ClassVar = ()

    if typing.TYPE_CHECKING:
        name: str | None = None
        dtype: Any = None

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        registry.adopt(cls)
        if cls.__init__ is Declared.__init__:
            cls.__signature__ = _OfClass(signature(cls))

    def __init__(self, *args, **kwargs):
        known = fields(type(self))
        kwargs = {**dict(self._placed(args, known)), **kwargs}
        unknown = sorted(kwargs.keys() - known.keys() - {*OF_KERAS})
        if unknown:
            raise TypeError(
                f"An argument of {type(self).__name__} must be one of "
                f"{', '.join([*known, *OF_KERAS])}. Received: {', '.join(unknown)}"
            )
        more = {key: kwargs.pop(key, None) for key in OF_KERAS}
        more["dtype"] = self._policy(kwargs.values(), more["dtype"])
        name = more["name"] or compat.to_snake_case(type(self).__name__)
        more = {key: value for key, value in more.items() if value is not None}
        super().__init__(**{**more, "name": name, "autocast": self.casts_inputs})
        for key, parameter in known.items():
            if key not in kwargs and parameter.default is parameter.empty:
                raise TypeError(
                    f"`{key}` must be given to {type(self).__name__}. "
                    f"Received: {', '.join(sorted(kwargs)) or 'nothing'}"
                )
            self._take(key, kwargs.get(key, parameter.default))
        self._make_if_complete()

    def _policy(self, values, dtype):
        """The dtype policy of a model with these values, `None` for the process'."""
        return dtype

    def _placed(self, args, known):
        """Values by the fields whose places they have."""
        places = [key for key, field in known.items() if field.kind is IN_ORDER]
        if len(args) > len(places):
            raise TypeError(
                f"{type(self).__name__} must be given its arguments by name, but for "
                f"{', '.join(places) or 'none'}. Received: {len(args)} without a name"
            )
        return zip(places, args, strict=False)

    def make(self):
        """Builds all layers. Every field has a value by then."""

    def check(self):
        """Raises a `ValueError` if values do not go together."""

    @property
    def is_complete(self):
        """bool: whether every field has a value, and so every layer is built."""
        return not any(
            isinstance(getattr(self, key), Later) for key in fields(type(self))
        )

    def _take(self, key, value):
        if not isinstance(value, Later):
            value = checked(key, value, fields(type(self))[key].annotation)
        setattr(self, key, value)

    def _make_if_complete(self):
        if self.built or not self.is_complete:
            return
        self.check()
        with compat.name_scope(self):
            self.make()
        self.built = True

    def get_config(self):
        policy = self.dtype_policy
        config = {"name": self.name, "dtype": getattr(policy, "name", policy)}
        for key in fields(type(self)):
            value = getattr(self, key)
            if not isinstance(value, Later):
                config[key] = registry.to_plain(value)
        if self.changes:
            config["changes"] = registry.to_plain(self.changes)
        return config

    @classmethod
    def from_config(cls, config):
        config = registry.from_plain(config)
        changes = config.pop("changes", ())
        # A file has lists for tuples, which a constructor may want to add to.
        model = cls(
            **{
                key: tuple(value) if isinstance(value, list) else value
                for key, value in config.items()
            }
        )
        for change in changes:
            change.apply(model)
        return model


@functools.cache
def fields(cls):
    """dict of `inspect.Parameter` by name: the fields of a class, its bases' first."""
    found = {}
    for base in reversed(cls.__mro__):
        if issubclass(base, Declared) and base is not Declared:
            found.update(_own_fields(base))
    return found


def signature(cls):
    """`inspect.Signature` of a class: its fields, and what every Keras model takes."""
    more = [inspect.Parameter(key, BY_NAME, default=None) for key in ("name", "dtype")]
    hints = typing.get_type_hints(cls)
    own = [each.replace(annotation=hints[key]) for key, each in fields(cls).items()]
    return inspect.Signature([*own, *more])


class _OfClass:
    """What is found at a class, and not at its objects, which are called otherwise."""

    def __init__(self, value):
        self.value = value

    def __get__(self, instance, owner):
        if instance is None:
            return self.value
        raise AttributeError("`__signature__` is that of the class")


def _own_fields(cls):
    hints = typing.get_type_hints(cls, include_extras=True)
    found = {}
    for key in vars(cls).get("__annotations__", {}):
        if typing.ClassVar not in (hints[key], typing.get_origin(hints[key])):
            found[key] = inspect.Parameter(
                key,
                IN_ORDER if cls.in_order else BY_NAME,
                default=vars(cls).get(key, inspect.Parameter.empty),
                annotation=hints[key],
            )
    return found


def checked(name, value, kind):
    """A value as its field keeps it.

    Args:
        name: str, the field.
        value: what came.
        kind: annotation: `Size` and its like, a class, or one of several with `|`.

    Returns:
        The value; a list as a tuple, so that it is the same after JSON.

    Raises:
        TypeError: if it is of another kind.
        ValueError: if it is out of its range.
    """
    value = tuple(value) if isinstance(value, list) else value
    kinds = _alternatives(kind)
    if value is None and type(None) in kinds:
        return value
    kinds = [each for each in kinds if each is not type(None)]
    for each in kinds:
        rule = getattr(each, "__metadata__", None)
        if rule is not None:
            rule[0](name, value)
            return value
    if all(typing.get_origin(each) is typing.Literal for each in kinds):
        words = [word for each in kinds for word in typing.get_args(each)]
        checks.check_one_of(name, value, words)
    elif bool in kinds:
        checks.check_flag(name, value)
    elif Any not in kinds and not any(_is_a(value, each) for each in kinds):
        raise TypeError(f"`{name}` must be {_said(kinds)}. Received: {name}={value!r}")
    return value


def _alternatives(kind):
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return typing.get_args(kind)
    return (kind,)


def _is_a(value, kind):
    """Whether a value is of a class, or one of the words of a `Literal`."""
    if typing.get_origin(kind) is typing.Literal:
        return value in typing.get_args(kind)
    return isinstance(value, typing.get_origin(kind) or kind)


def _said(kinds):
    words = []
    for kind in kinds:
        if typing.get_origin(kind) is typing.Literal:
            words += [repr(word) for word in typing.get_args(kind)]
        else:
            words.append(f"a {getattr(kind, '__name__', kind)}")
    return " or ".join(words)
