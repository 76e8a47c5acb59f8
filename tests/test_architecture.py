"""Imports go one way: layers <- networks <- modalities <- tasks; see the design.

What is private stays where it is: Keras' and TensorFlow's in `compat`, ours in the
module that has it.
"""

import ast
import functools
import pathlib
import subprocess
import sys

import pytest

from keras_genai.compat import OVERRIDDEN
from keras_genai.standins import modules_of_classes

ROOT = pathlib.Path(__file__).parent.parent
BASE = {"ctc", "registry", "losses", "likelihoods", "preferences", "schedules"}
BASE |= {"optimizers", "replicas", "summed"}
# What each part of the package may import from it, itself and `checks` apart.
ALLOWED = {
    "checks": set(),
    "draws": set(),
    "xla": set(),
    "files": set(),
    "backend": set(),
    "lazy": set(),
    "padding": set(),
    "progress": set(),
    "standins": set(),
    "compat": set(),
    **{name: {"registry", "xla"} for name in BASE},
    "likelihoods": {"registry", "xla", "draws"},
    "registry": {"backend", "standins"},
    "declared": {"registry"},
    "layers": {"registry", "files", "replicas", "xla"},
    "samplers": {"registry", "draws"},
    "networks": BASE | {"declared", "layers"},
    "modalities": {"registry", "files", "padding", "layers"},
    "data": {"registry", "files", "padding", "progress", "modalities"},
    "tasks": BASE
    | {
        "draws",
        "padding",
        "progress",
        "declared",
        "networks",
        "samplers",
        "layers",
        "modalities",
        "data",
        "files",
    },
    "training": {"registry", "files", "modalities", "replicas"},
    "evaluation": {"progress", "registry", "likelihoods", "data", "files"},
    "convert": {"registry", "declared", "layers", "networks", "modalities", "tasks"}
    | {"data", "files"},
    "serving": {"registry", "tasks", "samplers", "data", "files"},
    "export": {"draws", "layers", "networks", "samplers", "tasks", "convert"}
    | {"data", "files"},
    "integrations": {"serving", "tasks"},
}
PROTOCOLS = (
    "base",
    "denoising",
    "language",
    "sequence_pair",
)  # of networks, not one itself
LAZY = ["keras_genai.lazy", "keras_genai.lazy.attach"]
MODULES = sorted((ROOT / "keras_genai").rglob("*.py"))
ZOO = sorted((ROOT / "zoo").rglob("*.py"))


@functools.cache
def seen(path):
    """What is looked for in a file, which is parsed once and not kept.

    Returns:
        dict of `imported`, `by_hand`, `named_here` and `read_here`.
    """
    nodes = [*ast.walk(ast.parse(path.read_text("utf-8")))]
    return {search.__name__: [*dict.fromkeys(search(nodes))] for search in SEARCHES}


def imported(nodes):
    """Dotted names of everything a file imports."""
    for node in nodes:
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"line {node.lineno}: relative import"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def imports(paths):
    """`(path from the root, dotted name)` of everything that files import."""
    return [
        (path.relative_to(ROOT).as_posix(), name)
        for path in paths
        for name in seen(path)["imported"]
    ]


def test_imports_go_one_way():
    wrong = [
        (path, name)
        for path, name in imports(MODULES)
        if not path.endswith("__init__.py") and goes_back(path, name)
    ]
    assert not wrong


def goes_back(path, name):
    """Whether a module of the package imports what it may not."""
    first, _, rest = name.partition(".")
    if first != "keras_genai" or not rest:
        return first in ("zoo", "train", "tests")
    part = pathlib.PurePosixPath(path).with_suffix("").parts[1]
    return rest.split(".")[0] not in ALLOWED[part] | {part, "checks", "compat"}


def test_a_package_imports_nothing_before_it_is_asked():
    packages = [*(ROOT / "keras_genai").glob("*/**/__init__.py")]
    assert packages
    found = {path: seen(path)["imported"] for path in packages}
    assert not {path for path, names in found.items() if names not in ([], LAZY)}


def test_networks_do_not_import_each_other():
    networks = [path for path in MODULES if path.parent.name == "networks"]
    wrong = [pair for pair in imports(networks) if knows_another(*pair)]
    assert not wrong


def knows_another(path, name):
    """Whether a network imports one of another family."""
    family = pathlib.PurePosixPath(path).stem.split("_")[0]
    parts = name.split(".")
    if parts[:2] != ["keras_genai", "networks"] or len(parts) == 2:
        return False
    return parts[2] not in PROTOCOLS and not parts[2].startswith(family)


def test_torch_is_never_imported():
    found = imports(MODULES)
    assert found
    assert not [pair for pair in found if pair[1].split(".")[0] == "torch"]


@pytest.mark.slow
def test_importing_the_package_registers_every_class():
    registered = []
    for path in MODULES:
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            decorators = getattr(node, "decorator_list", [])
            if isinstance(node, ast.ClassDef) and any(
                "register" in ast.unparse(decorator) for decorator in decorators
            ):
                registered.append(node.name)
    assert {"GPT", "GradualAdamW"} <= set(registered)
    assert set(registered) == set(modules_of_classes())
    code = (
        "import keras, keras_genai\n"
        f"for name in {registered}:\n"
        "    assert keras.saving.get_registered_object('keras_genai>' + name), name"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


# Files go through `keras_genai.files`: one reader, one writer, one way to name a path.
# What else does, and why.
BY_HAND = {
    "keras_genai/training/log.py": {"open"},  # stays open, to append to
    "keras_genai/training/checkpoint.py": {"open"},  # the whole folder is renamed
    "keras_genai/training/folder.py": {"open"},  # the lock
    "keras_genai/training/environment.py": {"read_text"},  # /proc
    "zoo/_memory.py": {"read_text"},  # /proc
    "keras_genai/data/dialogue.py": {"read_text"},  # ships with the package
    "keras_genai/data/lives.py": {"read_text"},  # likewise
    "keras_genai/data/text.py": {"read_text"},  # likewise
    "keras_genai/data/pronunciation.py": {"read_text"},  # likewise
    "keras_genai/data/sentiment.py": {"read_text"},  # likewise
    "zoo/__init__.py": {"read_text"},  # likewise
    "zoo/entry.py": {"read_text"},  # likewise
    "keras_genai/standins.py": {"read_text"},  # the package's own source
    "keras_genai/backend.py": {"read_text", "expanduser"},  # before all else is there
    "zoo/_opening.py": {"expanduser"},  # before TensorFlow is imported
}
METHODS = {"read_text", "write_text", "expanduser", "splitlines"}
SOURCES = [
    path
    for path in [*MODULES, *sorted((ROOT / "zoo").rglob("*.py")), ROOT / "train.py"]
    if "files" not in path.relative_to(ROOT).parts[:-1]
]


def by_hand(nodes):
    """What a file calls that `keras_genai.files` is for."""
    for node in nodes:
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Name) and called.id == "open":
            yield "open"
        if isinstance(called, ast.Attribute) and called.attr in METHODS:
            yield called.attr


def test_files_are_read_written_and_named_in_one_place():
    calls = {
        path.relative_to(ROOT).as_posix(): set(seen(path)["by_hand"])
        for path in SOURCES
    }
    assert {path: names for path, names in calls.items() if names} == BY_HAND


INSIDE = ("keras.src", "tensorflow.python", "tensorflow.compiler", "tensorflow.core")
OF_NAMEDTUPLES = {"_replace", "_fields", "_asdict", "_make"}


def is_private(name):
    return name.startswith("_") and not name.endswith("__")


def test_nothing_private_is_imported():
    wrong = [
        (path, name)
        for path, name in imports([*MODULES, *ZOO])
        if path != "keras_genai/compat.py" and is_inside(name)
    ]
    assert not wrong, "that is for compat.py"


def is_inside(name):
    """Whether a dotted name is of what its package does not show."""
    package, _, last = name.rpartition(".")
    # The machinery of the zoo is in modules with an underscore.
    return name.startswith(INSIDE) or (package != "zoo" and is_private(last))


GETTERS = ("getattr", "hasattr")


def named_here(nodes):
    """Names that a file gives: to functions, to attributes, by strings in calls."""
    for node in nodes:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.name
        elif isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.id
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            if is_name(node.value, ("self",)):
                yield node.attr
        elif isinstance(node, ast.Call) and not is_name(node.func, GETTERS):
            yield from strings(node.args)


def read_here(nodes):
    """Names of the attributes that a file reads or sets, or asks for by strings."""
    for node in nodes:
        if isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.Call) and is_name(node.func, GETTERS):
            yield from strings(node.args)


def is_name(node, names):
    return isinstance(node, ast.Name) and node.id in names


def strings(arguments):
    for argument in arguments:
        if isinstance(argument, ast.Constant) and isinstance(argument.value, str):
            yield argument.value


SEARCHES = (imported, by_hand, named_here, read_here)


def test_private_names_of_other_libraries_are_read_in_one_place():
    compat = ROOT / "keras_genai" / "compat.py"
    others = [path for path in MODULES if path != compat]
    ours = {name for path in others for name in seen(path)["named_here"]}
    inherited = {name for names in OVERRIDDEN.values() for name in names}
    known = ours | inherited | OF_NAMEDTUPLES
    for path in others:
        foreign = set(filter(is_private, seen(path)["read_here"])) - known
        assert not foreign, f"{path} reads {foreign}: that is for compat.py"
    # Or nothing is seen.
    assert set(filter(is_private, seen(compat)["read_here"])) - known
