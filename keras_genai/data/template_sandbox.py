"""The sandbox that chat templates run in: what they may use, of Jinja and of Python."""

import functools
import json

import jinja2
from jinja2 import ext, nodes, sandbox

from keras_genai.data.template_leash import (
    LARGEST_TEMPLATE,
    LARGEST_VALUE,
    LEASH,
    TemplateError,
    check_growth,
)

FILTERS = (
    *("abs", "capitalize", "count", "d", "default", "dictsort", "e", "escape", "first"),
    *("float", "int", "items", "join", "last", "length", "list", "lower", "map", "max"),
    *("min", "reject", "rejectattr", "replace", "reverse", "safe", "select"),
    *("selectattr", "sort", "string", "title", "tojson", "trim", "unique", "upper"),
    "indent",
)
METHODS = (
    *("capitalize", "count", "endswith", "find", "get", "index", "isalpha", "isdigit"),
    *("isspace", "items", "join", "keys", "lower", "lstrip", "partition", "replace"),
    *("removeprefix", "removesuffix", "rfind", "rpartition", "rsplit", "rstrip"),
    *("split", "splitlines", "startswith", "strip", "title", "upper", "values"),
)
STATEMENTS = (
    *("Template", "Output", "TemplateData", "For", "If", "Assign", "AssignBlock"),
    *("Macro", "CallBlock", "FilterBlock", "ExprStmt", "Break", "Continue", "Scope"),
)
TESTS = ("filter", "test", "escaped")  # that are refused


@functools.lru_cache(16)
def compiled(template):
    """`jinja2.Template` of the program, after it is looked at."""
    if not isinstance(template, str) or len(template) > LARGEST_TEMPLATE:
        raise TemplateError(
            f"a chat template must be a str of at most {LARGEST_TEMPLATE} characters"
        )
    environment = _environment()
    tree = environment.parse(template)
    _check(tree)
    _count_steps(tree)
    return environment.from_string(tree)


def _check(tree):
    """Refuses what no chat template needs."""
    for kind, what, allowed in (
        (nodes.Stmt, lambda node: type(node).__name__, STATEMENTS.__contains__),
        (nodes.For, lambda node: node.recursive, lambda recursive: not recursive),
        (nodes.Filter, lambda node: node.name, FILTERS.__contains__),
        (nodes.Call, lambda node: getattr(node.node, "attr", None), _is_method),
        (nodes.Test, lambda node: node.name, lambda name: name not in TESTS),
        ((nodes.Name, nodes.Macro), lambda node: node.name, _is_public),
    ):
        for node in tree.find_all(kind):
            if not allowed(what(node)):
                raise TemplateError(
                    f"a chat template must not have the {type(node).__name__.lower()} "
                    f"{str(what(node))[:40]}"
                )


def _is_method(name):
    return name is None or name in METHODS or name == "cycle"


def _is_public(name):
    return not name.startswith("_")


def _count_steps(tree):
    """Puts a call of `step` into every loop and macro, and checks what is made."""
    for node in [*tree.find_all((nodes.For, nodes.Macro))]:
        text = sum(len(part.data) for part in node.find_all(nodes.TemplateData))
        call = nodes.Call(
            nodes.Name("_step", "load"), [nodes.Const(text)], [], None, None
        )
        node.body.insert(0, nodes.ExprStmt(call))
    _replace(tree)
    tree.set_environment(tree.environment)
    for node in tree.find_all(nodes.Node):
        node.lineno = node.lineno or 1


def _replace(node):
    """Wraps what makes lists, dicts and joined texts, at whatever depth, in `_made`."""
    made = (nodes.List, nodes.Tuple, nodes.Dict, nodes.Concat, nodes.Filter)
    for field, value in [*node.iter_fields()]:
        inside = value if isinstance(value, list) else [value]
        for place, child in enumerate(inside):
            if not isinstance(child, nodes.Node):
                continue
            _replace(child)
            stores = getattr(child, "ctx", "load") != "load"
            if isinstance(child, made) and not stores and field != "target":
                wrapped = nodes.Call(
                    nodes.Name("_made", "load"), [child], [], None, None
                )
                if isinstance(value, list):
                    value[place] = wrapped
                else:
                    setattr(node, field, wrapped)


class Generation(ext.Extension):
    """`{% generation %}`, around what the model says: here just what is in it."""

    tags = frozenset({"generation"})

    def parse(self, parser):
        next(parser.stream)
        return parser.parse_statements(["name:endgeneration"], drop_needle=True)


class Environment(sandbox.ImmutableSandboxedEnvironment):
    """Jinja's, in which values stay, and what is called or computed is looked at."""

    intercepted_binops = frozenset(sandbox.SandboxedEnvironment.default_binop_table)

    def is_safe_attribute(self, obj, attr, value):
        return super().is_safe_attribute(obj, attr, value) and (
            not callable(value) or attr in METHODS or attr == "cycle"
        )

    def call_binop(self, context, operator, left, right):
        kinds = (int, float)
        numbers = isinstance(left, kinds) and isinstance(right, kinds)
        if not numbers and operator != "+":
            raise TemplateError(
                f"a chat template must not use {operator} of other than numbers"
            )
        if operator == "**":
            raise TemplateError("a chat template must not use **")
        return LEASH.get().value(super().call_binop(context, operator, left, right))

    def call(self, context, function, *args, **kwargs):
        LEASH.get().look()
        own = getattr(function, "__self__", None)
        name = getattr(function, "__name__", "")
        if isinstance(own, str) and name in ("replace", "join"):
            check_growth(name, own, *args)
        known = name in METHODS and isinstance(own, str | dict | list | tuple)
        macro = isinstance(function, jinja2.runtime.Macro)
        if not (known or macro or function in self.functions or name == "cycle"):
            raise TemplateError(f"a chat template must not call {name[:40]!r}")
        found = super().call(context, function, *args, **kwargs)
        return LEASH.get().value(found)


def _environment():
    """An `Environment` with the filters, tests and functions that are allowed."""
    environment = Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.loopcontrols", Generation],
        finalize=lambda value: LEASH.get().shown(value),
    )
    environment.filters = {
        name: _bounded(name, environment.filters[name])
        for name in FILTERS
        if name in environment.filters
    }
    environment.filters["tojson"] = _to_json
    environment.tests = {
        name: test for name, test in environment.tests.items() if name not in TESTS
    }
    functions = {
        "range": _range,
        "namespace": jinja2.utils.Namespace,
        "dict": dict,
        "raise_exception": _raise,
        "_step": lambda characters: LEASH.get().step(characters),
        "_made": lambda value: LEASH.get().value(value),
    }
    environment.functions = [*functions.values(), _to_json]
    environment.globals = functions
    return environment


def _bounded(name, function):
    """A filter whose result cannot be far larger than what it is given."""
    if name not in ("replace", "join", "indent"):
        return function

    @functools.wraps(function)
    def checked(first, value, *args, **kwargs):
        options = [*args, *kwargs.values()]
        if name == "replace":
            named = [kwargs[key] for key in ("old", "new") if key in kwargs]
            check_growth(name, str(value), *args, *named)
        elif name == "join":
            parts = list(value)
            check_growth("join", str(options[0]) if options else "", parts)
            value = parts
        elif any(not isinstance(each, bool) for each in options):
            width = options[0]
            if not isinstance(width, int) or not 0 <= width <= 64:
                raise TemplateError("the filter indent must have a width up to 64")
        if isinstance(first, _Nothing):
            return function(value, *args, **kwargs)
        return function(first, value, *args, **kwargs)

    if hasattr(function, "jinja_pass_arg"):
        return checked
    return lambda value, *args, **kwargs: checked(_Nothing(), value, *args, **kwargs)


class _Nothing:
    """Stands for the context that a filter does not want."""


def _range(*args):
    found = range(*args)
    if len(found) > LARGEST_VALUE:
        raise TemplateError(f"a range must have at most {LARGEST_VALUE} numbers")
    return found


def _raise(message):
    raise TemplateError(
        f"the chat template says: {' '.join(str(message).split())[:200]}"
    )


def _to_json(value, indent=None, ensure_ascii=False, separators=None, sort_keys=False):
    # As transformers has it: Jinja's own escapes what HTML would read.
    if indent is not None and not 0 <= int(indent) <= 16:
        raise TemplateError("the filter tojson must have an indent up to 16")
    return json.dumps(
        value,
        ensure_ascii=bool(ensure_ascii),
        indent=indent,
        separators=separators,
        sort_keys=bool(sort_keys),
    )
