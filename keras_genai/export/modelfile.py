"""A Modelfile: how Ollama is to talk with a GGUF."""

from keras_genai.data.turns import PLAIN, Turns


def modelfile(model, name):
    """The text of a Modelfile.

    Args:
        model: `CausalLM`.
        name: str, the name of the GGUF beside it.
    """
    lines = [f"FROM ./{name}"]
    if isinstance(model.turns, Turns):
        lines.append(f'TEMPLATE """{_template(model.turns)}"""')
    # Of a published chat template, which the GGUF has, Ollama knows its own version.
    if model.context is not None:
        lines.append(f"PARAMETER num_ctx {model.context}")
    stops = () if model.turns == PLAIN else (model.turns.end, *_stops(model.turns))
    lines += [
        f"PARAMETER stop {_quoted(text)}" for text in dict.fromkeys(stops) if text
    ]
    return "\n".join(lines) + "\n"


def _stops(turns):
    return getattr(turns, "stop", ())


def _template(turns):
    """One exchange, as Ollama's templates write it; the prompt alone without turns."""
    if turns == PLAIN:
        return "{{ .Prompt }}"
    system = turns.system.replace("{}", "{{ .System }}") + turns.separator
    person = turns.person.replace("{}", "{{ .Prompt }}")
    return (
        f"{turns.opening}{{{{ if .System }}}}{system}{{{{ end }}}}{person}{turns.cue}"
        f"{{{{ .Response }}}}{turns.end}"
    )


def _quoted(text):
    return (
        '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    )
