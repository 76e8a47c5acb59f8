"""Chat templates of published folders: Jinja from strangers, on a short leash.

A template is a program. It runs in Jinja's immutable sandbox, and beyond that: it may
use only what is listed here, which leaves files, modules and Python alone; it may take
so many steps, make values so large and texts so long; and a deadline is looked at in
every step, call and filter. What breaks a rule is refused with one line.
"""

import contextvars
import functools
import importlib
import json
import time

LARGEST_TEMPLATE = 64 * 2**10  # characters
LARGEST_TEXT = 2**20  # characters, of a value and of all that is written
LARGEST_VALUE = 10_000  # elements, those of elements too
MOST_STEPS = 100_000  # passes of loops and calls of macros
DEADLINE = 5.0  # seconds
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


class TemplateError(ValueError):
    """A template that is refused, or that refuses a conversation."""


def render(template, **values):
    """What a template writes.

    Args:
        template: str, the program.
        **values: what it may look at, such as `messages`: str, numbers, lists, dicts.

    Returns:
        str.

    Raises:
        ImportError: if Jinja is not installed.
        TemplateError: if the template breaks a rule, or raises an error itself.
    """
    jinja2 = _jinja()
    leash = _Leash()
    try:
        compiled = _compiled(template)
        token = _LEASH.set(leash)
        try:
            return leash.written(compiled.generate(**values))
        finally:
            _LEASH.reset(token)
    except TemplateError:
        raise
    except (jinja2.TemplateError, ArithmeticError, LookupError, TypeError) as error:
        raise TemplateError(_line(error)) from None
    except (ValueError, AttributeError, RecursionError, MemoryError) as error:
        raise TemplateError(_line(error)) from None


def _line(error):
    said = " ".join(str(error).split())[:200]
    return f"the chat template fails: {said or type(error).__name__}"


def _jinja():
    try:
        return importlib.import_module("jinja2")
    except ImportError as error:
        raise ImportError(
            "a chat template needs jinja2, which is not installed: "
            f'python -m pip install "keras_genai[chat]". Received: {error}'
        ) from None


class _Leash:
    """Counts what one rendering takes."""

    def __init__(self):
        self.steps, self.characters = 0, 0
        self.until = time.monotonic() + DEADLINE

    def step(self, characters=0):
        """Called once a pass of a loop, with what its text alone will write."""
        self.steps += 1
        self.characters += characters
        if self.steps > MOST_STEPS:
            raise TemplateError(f"the chat template takes more than {MOST_STEPS} steps")
        self.look()

    def look(self):
        if self.characters > LARGEST_TEXT:
            raise TemplateError(
                f"the chat template writes more than {LARGEST_TEXT} characters"
            )
        if time.monotonic() > self.until:
            raise TemplateError(f"the chat template takes more than {DEADLINE} s")

    def value(self, value):
        """`value`, if it is not too large."""
        self.look()
        _measure(value, [LARGEST_VALUE], [LARGEST_TEXT])
        return value

    def shown(self, value):
        """`value`, which is about to be written."""
        self.value(value)
        self.characters += len(value) if isinstance(value, str) else len(str(value))
        self.look()
        return value

    def written(self, pieces):
        found, length = [], 0
        for piece in pieces:
            length += len(piece)
            if length > LARGEST_TEXT:
                raise TemplateError(
                    f"the chat template writes more than {LARGEST_TEXT} characters"
                )
            found.append(piece)
        return "".join(found)


def _measure(value, elements, characters):
    """Counts down what is inside a value, shared parts as often as they are seen."""
    if isinstance(value, str | bytes):
        characters[0] -= len(value)
    elif isinstance(value, int) and value.bit_length() > 64:
        raise TemplateError("the chat template makes an int of more than 64 bits")
    elif isinstance(value, dict):
        for pair in value.items():
            _measure(pair, elements, characters)
    elif isinstance(value, list | tuple):
        for each in value:
            _measure(each, elements, characters)
    elements[0] -= 1
    if min(elements[0], characters[0]) < 0:
        raise TemplateError(
            f"the chat template makes a value of more than {LARGEST_VALUE} elements or "
            f"{LARGEST_TEXT} characters"
        )


_LEASH = contextvars.ContextVar("leash")  # of the rendering in this thread


@functools.lru_cache(16)
def _compiled(template):
    """`jinja2.Template` of the program, after it is looked at."""
    if not isinstance(template, str) or len(template) > LARGEST_TEMPLATE:
        raise TemplateError(
            f"a chat template must be a str of at most {LARGEST_TEMPLATE} characters"
        )
    environment = _environment()
    nodes = importlib.import_module("jinja2.nodes")
    tree = environment.parse(template)
    _check(tree, nodes)
    _count_steps(tree, nodes)
    return environment.from_string(tree)


def _check(tree, nodes):
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


def _count_steps(tree, nodes):
    """Puts a call of `step` into every loop and macro, and checks what is made."""
    for node in [*tree.find_all((nodes.For, nodes.Macro))]:
        text = sum(len(part.data) for part in node.find_all(nodes.TemplateData))
        call = nodes.Call(
            nodes.Name("_step", "load"), [nodes.Const(text)], [], None, None
        )
        node.body.insert(0, nodes.ExprStmt(call))
    _replace(tree, nodes)
    tree.set_environment(tree.environment)
    for node in tree.find_all(nodes.Node):
        node.lineno = node.lineno or 1


def _replace(node, nodes):
    """Wraps what makes lists, dicts and joined texts, at whatever depth, in `_made`."""
    made = (nodes.List, nodes.Tuple, nodes.Dict, nodes.Concat, nodes.Filter)
    for field, value in [*node.iter_fields()]:
        inside = value if isinstance(value, list) else [value]
        for place, child in enumerate(inside):
            if not isinstance(child, nodes.Node):
                continue
            _replace(child, nodes)
            stores = getattr(child, "ctx", "load") != "load"
            if isinstance(child, made) and not stores and field != "target":
                wrapped = nodes.Call(
                    nodes.Name("_made", "load"), [child], [], None, None
                )
                if isinstance(value, list):
                    value[place] = wrapped
                else:
                    setattr(node, field, wrapped)


def _environment():
    jinja2, sandbox = _jinja(), importlib.import_module("jinja2.sandbox")
    ext = importlib.import_module("jinja2.ext")

    class Generation(ext.Extension):
        """`{% generation %}`, around what the model says: here just what is in it."""

        tags = frozenset({"generation"})

        def parse(self, parser):
            next(parser.stream)
            return parser.parse_statements(["name:endgeneration"], drop_needle=True)

    class Environment(sandbox.ImmutableSandboxedEnvironment):
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
            return _LEASH.get().value(
                super().call_binop(context, operator, left, right)
            )

        def call(self, context, function, *args, **kwargs):
            _LEASH.get().look()
            own = getattr(function, "__self__", None)
            name = getattr(function, "__name__", "")
            if isinstance(own, str) and name in ("replace", "join"):
                _check_growth(name, own, *args)
            known = name in METHODS and isinstance(own, str | dict | list | tuple)
            macro = isinstance(function, jinja2.runtime.Macro)
            if not (known or macro or function in self.functions or name == "cycle"):
                raise TemplateError(f"a chat template must not call {name[:40]!r}")
            found = super().call(context, function, *args, **kwargs)
            return _LEASH.get().value(found)

    environment = Environment(
        trim_blocks=True,
        lstrip_blocks=True,
        extensions=["jinja2.ext.loopcontrols", Generation],
        finalize=lambda value: _LEASH.get().shown(value),
    )
    environment.filters = {
        name: _bounded(name, environment.filters[name], jinja2)
        for name in FILTERS
        if name in environment.filters
    }
    environment.filters["tojson"] = _to_json
    environment.tests = {
        name: test
        for name, test in environment.tests.items()
        if name not in ("filter", "test", "escaped")
    }
    functions = {
        "range": _range,
        "namespace": jinja2.utils.Namespace,
        "dict": dict,
        "raise_exception": _raise,
        "_step": lambda characters: _LEASH.get().step(characters),
        "_made": lambda value: _LEASH.get().value(value),
    }
    environment.functions = [*functions.values(), _to_json]
    environment.globals = functions
    return environment


def _check_growth(name, text, *args):
    """Refuses a replacement or a junction before it takes memory."""
    length = len(text)
    if name == "replace" and len(args) > 1:
        length += text.count(str(args[0])) * len(str(args[1]))
    elif name == "join" and args:
        parts = list(args[0])
        length = len(text) * len(parts) + sum(len(str(part)) for part in parts)
    if length > LARGEST_TEXT:
        raise TemplateError(f"the chat template makes a text of {length} characters")


def _bounded(name, function, jinja2):
    """A filter whose result cannot be far larger than what it is given."""
    if name not in ("replace", "join", "indent"):
        return function

    @functools.wraps(function)
    def checked(first, value, *args, **kwargs):
        options = [*args, *kwargs.values()]
        if name == "replace":
            named = [kwargs[key] for key in ("old", "new") if key in kwargs]
            _check_growth(name, str(value), *args, *named)
        elif name == "join":
            parts = list(value)
            _check_growth("join", str(options[0]) if options else "", parts)
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
