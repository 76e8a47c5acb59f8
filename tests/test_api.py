"""The public face: each name once, found when asked for, and nothing paid before."""

import ast
import collections
import importlib
import json
import os
import pathlib
import subprocess
import sys

import keras
import pytest

import keras_genai as kg
from keras_genai.standins import modules_of_classes
from tools import stubs

PACKAGES = stubs.packages()
TINY = dict(vocabulary_size=11, context=8, depth=1, width=8, num_heads=2)


def run(code, **environment):
    """What a new process prints."""
    finished = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
    )
    assert not finished.returncode, finished.stderr
    return finished.stdout


def public(package):
    """`(module, name)` of each line of a package's stub."""
    path = pathlib.Path(kg.__file__).parent / package / "__init__.pyi"
    for node in ast.parse(path.read_text("utf-8")).body:
        if isinstance(node, ast.ImportFrom):
            yield node.module, node.names[0].name


def test_nothing_is_imported_before_it_is_used():
    packages = ", ".join(f"kg.{name}" for name in PACKAGES)
    code = (
        "import json, sys, keras_genai as kg\n"
        f"names = [len(dir(package)) for package in [kg, {packages}]]\n"
        "assert all(names)\n"
        "print(json.dumps([name.partition('.')[0] for name in sys.modules]))"
    )
    loaded = set(json.loads(run(code)))
    assert not loaded & {"tensorflow", "keras", "numpy", "pydantic", "tokenizers"}


@pytest.mark.parametrize("package", ["", *PACKAGES])
def test_a_stub_says_all_that_is_public(package):
    path = stubs.ROOT / package / "__init__.pyi"
    wanted = stubs.texts()[path].splitlines()
    found = path.read_text("utf-8").splitlines()
    missing = [line for line in wanted if line not in found]
    assert found == wanted, f"run `python tools/stubs.py`; {path} lacks {missing}"


@pytest.mark.parametrize("package", PACKAGES)
def test_every_public_name_is_found_in_its_package(package):
    found = importlib.import_module(f"keras_genai.{package}")
    for module, name in public(package):
        owner = importlib.import_module(f"{found.__name__}.{module or name}")
        assert getattr(found, name) is (getattr(owner, name) if module else owner)
    assert dir(found) == sorted(name for _, name in public(package))


@pytest.mark.parametrize("module", sorted(stubs.MODULES))
def test_a_module_beside_the_packages_lists_its_names(module):
    found = getattr(kg, module)
    assert all(getattr(found, name).__doc__ for name in found.__all__)
    described = stubs.described(stubs.ROOT / f"{module}.py")
    classes = {name for name, is_class in described if is_class}
    assert classes <= set(found.__all__)


def test_every_public_name_is_in_one_place_only():
    places = collections.defaultdict(list)
    for package in PACKAGES:
        for _, name in public(package):
            places[name].append(package)
    for module in stubs.MODULES:
        for name in getattr(kg, module).__all__:
            places[name].append(module)
    modules = {"answering", "summarization", "translation"}  # of data; same words
    twice = {name for name, found in places.items() if len(found) > 1}
    assert not twice - modules


def test_what_the_tool_chooses_exists():
    for package, chosen in stubs.PACKAGES.items():
        modules = {path.stem for path in (stubs.ROOT / package).glob("*.py")}
        assert chosen.machinery | chosen.modules <= modules, package
        found = {
            name
            for path in (stubs.ROOT / package).glob("*.py")
            for name, _ in stubs.described(path)
        }
        assert chosen.names | chosen.hidden <= found, package


def test_no_public_name_is_that_of_a_module_it_would_hide():
    for package in PACKAGES:
        modules = {path.stem for path in (stubs.ROOT / package).glob("*.py")}
        assert not modules & {name for module, name in public(package) if module}


def test_a_module_is_found_by_its_path_though_it_is_not_listed():
    assert kg.tasks.batches.__name__ == "keras_genai.tasks.batches"
    assert "batches" not in dir(kg.tasks)
    with pytest.raises(AttributeError, match=r"'keras_genai.tasks' has no attribute"):
        kg.tasks.nothing  # noqa: B018


@pytest.mark.slow
@pytest.mark.parametrize(
    "first", ["import keras, keras_genai", "import keras_genai\nimport keras"]
)
def test_a_keras_file_opens_after_the_import_of_the_package_alone(first, tmp_path):
    path = str(tmp_path / "model.keras")
    kg.tasks.CausalLM(kg.networks.GPT(**TINY), name="written").save(path)
    code = f"{first}\nprint(keras.saving.load_model({path!r}).name)"
    assert run(code).strip() == "written"


@pytest.mark.slow
def test_a_preset_imports_its_own_class_only(tmp_path):
    model = kg.tasks.CausalLM(kg.networks.GPT(**TINY))
    model.save_to_preset(tmp_path / "preset")
    code = (
        "import sys, keras_genai\n"
        f"keras_genai.from_preset({str(tmp_path / 'preset')!r})\n"
        "print([name for name in sys.modules if name.startswith('keras_genai')])"
    )
    found = run(code)
    assert "keras_genai.networks.gpt" in found
    assert "keras_genai.networks.bert" not in found
    assert "keras_genai.convert" not in found


def test_every_registered_class_is_known_before_it_is_imported():
    for name, module in modules_of_classes().items():
        cls = getattr(importlib.import_module(module), name)
        assert keras.saving.get_custom_objects()[f"keras_genai>{name}"] is cls


@pytest.mark.slow
def test_names_of_this_library_stay_its_own():
    code = (
        "import keras_genai as kg\n"
        "class GPT(kg.tasks.Task):\n"
        "    pass\n"
        "try:\n"
        "    kg.registry.register(GPT)\n"
        "except ValueError as error:\n"
        "    print(kg.registry.lookup('GPT').__module__, error)"
    )
    assert run(code).startswith("keras_genai.networks.gpt `GPT` is already registered")
