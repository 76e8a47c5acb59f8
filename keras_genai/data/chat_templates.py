"""Chat templates of published folders: Jinja from strangers, on a short leash.

A template is a program. It runs in Jinja's immutable sandbox, and beyond that: it may
use only what `template_sandbox` lists, which leaves files, modules and Python alone; it
may take so many steps, make values so large and texts so long; and a deadline is looked
at in every step, call and filter. What breaks a rule is refused with one line.
"""

import importlib

from keras_genai.data.template_leash import LEASH, Leash, TemplateError

# What a template of strangers may raise.
_FAULTS = (
    *(ArithmeticError, LookupError, TypeError, ValueError, AttributeError),
    *(RecursionError, MemoryError),
)


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
    sandbox = _sandbox()
    leash = Leash()
    try:
        program = sandbox.compiled(template)
        token = LEASH.set(leash)
        try:
            return leash.written(program.generate(**values))
        finally:
            LEASH.reset(token)
    except TemplateError:
        raise
    except (sandbox.jinja2.TemplateError, *_FAULTS) as error:
        raise TemplateError(_line(error)) from None


def _line(error):
    said = " ".join(str(error).split())[:200]
    return f"the chat template fails: {said or type(error).__name__}"


def _sandbox():
    """The module that needs Jinja."""
    try:
        return importlib.import_module("keras_genai.data.template_sandbox")
    except ImportError as error:
        raise ImportError(
            "a chat template needs jinja2, which is not installed: "
            f'python -m pip install "keras_genai[chat]". Received: {error}'
        ) from None
