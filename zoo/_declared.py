"""What an entry's file says of it in literals, read without running it."""

import ast
import pathlib

import zoo
from keras_genai.files.text import read_text


def declared(name):
    """The literal arguments of the `Entry` that a file makes.

    The entry is a call: of `Entry`, or of a function that returns such a call, in a
    module of the zoo: `entry = _ladder.ngram(order=3)`.

    Args:
        name: str.

    Returns:
        dict from the name of an argument to its value; what is no literal is left out.

    Raises:
        ValueError: if there is no such entry.
    """
    module = ast.parse(zoo.code(name))
    calls = [
        node.value
        for node in module.body
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call)
        if [ast.unparse(target) for target in node.targets] == ["entry"]
    ]
    return _literals(_entry_call(calls[-1])) if calls else {}


def _entry_call(call):
    """The call of `Entry` that a call is, or that its function returns."""
    module, _, function = ast.unparse(call.func).rpartition(".")
    path = pathlib.Path(zoo.__file__).with_name(f"{module}.py")
    if not module or not path.is_file():
        return call
    for node in ast.parse(read_text(path)).body:
        if isinstance(node, ast.FunctionDef) and node.name == function:
            returned = node.body[-1]
            if isinstance(returned, ast.Return) and isinstance(
                returned.value, ast.Call
            ):
                return returned.value
    return call


def _literals(call):
    found = {}
    for keyword in call.keywords:
        try:
            found[keyword.arg] = ast.literal_eval(keyword.value)
        except ValueError:  # it has to be run
            continue
    return found
