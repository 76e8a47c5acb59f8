"""What people use language models for, text by text: the verbs beside `chat`."""

import dataclasses
import sys

import zoo
from zoo._command import input_lines, printable, say
from zoo._opening import locate, open_model

BATCH = 32  # texts that are read at once, where there are many


def translate(options):
    """Translates texts, by the model's own decode settings.

    A published model that knows several pairs of languages is told which with
    `--languages`; what it was trained to read before a text is in its config.json.
    """
    _rewrite(options, "translate", "translation")


def summarize(options):
    """Summarises texts, by the model's own decode settings.

    What a published model was trained to read before a text, and how it decodes a
    summary, is in its config.json.
    """
    _rewrite(options, "summarize", "summarization")


def classify(options):
    """Prints the classes of each text and their probabilities, the likeliest first."""
    place = locate(options.name, options.preset)
    model = open_model(place, options.name, "classify", options.weights)
    import numpy as np

    def work(texts):
        _say_what_is_cut(model, texts)
        for logits in np.asarray(model.predict_on_batch(model.batch(texts)), "float64"):
            if len(model.labels) == 1:
                yield f"{model.labels[0]} {logits[0]:.4f}"
                continue
            weights = np.exp(logits - logits.max())
            shares = weights / weights.sum()
            order = np.argsort(-shares, kind="stable")
            yield "  ".join(f"{model.labels[i]} {shares[i]:.4f}" for i in order)

    print_each(options.text, work)


def answer(options):
    """Answers questions with spans of a text, their places and their scores.

    A text of any length is read in windows. A place is that of the first character,
    from 0, and the one after the last; a score is a sum of two logits.
    """
    context = _content(options.context)
    place = locate(options.name, options.preset)
    model = open_model(place, options.name, "answer", options.weights)

    def work(questions):
        found = model.answer(
            questions,
            [context] * len(questions),
            stride=options.stride,
            allow_none=options.allow_none,
        )
        for each in found:
            text = " ".join(each.text.split()) or "(no answer)"
            yield f"{text}  [{each.start}:{each.end}]  score {each.score:.2f}"

    print_each(options.text, work)


def transcribe(options):
    """Writes down what is said in sound files, a line a file.

    Of a folder all sound files are read, those in folders within it, too. With
    `--translate-by` a second model translates what the first one has understood.
    """
    paths = _sounds(options.text)
    place = locate(options.name, options.preset)
    put = _translator(options)
    model = open_model(place, options.name, "transcribe", options.weights)
    model.jit_generate = False  # compiling would take longer than a few sounds
    more = {} if options.beams is None else beam_search(model, options.beams)
    more |= _told(model, options)
    for first in range(0, len(paths), BATCH):
        chosen = paths[first : first + BATCH]
        found = [" ".join(text.split()) for text in model.transcribe(chosen, **more)]
        for path, text in zip(chosen, _each(found, put), strict=True):
            print(f"{printable(path)}: {text}", flush=True)


def _translator(options):
    """A function from texts to their translations by `--translate-by`, or themselves.

    Raises:
        ValueError: if there is no such model, or it does not translate, or not between
            these languages.
    """
    if options.translate_by is None:
        if options.languages is not None:
            raise ValueError(
                "`--languages` must be left out without `--translate-by`. "
                f"Received: {options.languages}"
            )
        return list
    if options.translate:
        raise ValueError(
            "`--translate-by` must be left out with `--translate`. "
            f"Received: {options.translate_by}"
        )
    return _rewriter(
        options.translate_by,
        "translate",
        "translation",
        languages=options.languages,
        quick=True,
    )


def _sounds(files):
    from keras_genai.files.sound import EXTENSIONS

    return chosen_files(files, EXTENSIONS, "sound")


def chosen_files(files, extensions, noun):
    """list of paths of files; of folders, what is in them of a kind.

    Args:
        files: list of str.
        extensions: tuple of str, small letters.
        noun: str, what errors call a file.

    Raises:
        ValueError: if there are none, or one does not exist.
    """
    from keras_genai.files.paths import as_path
    from keras_genai.files.walking import files_below

    found = []
    for file in files:
        path = as_path(file, "FILE")
        if not path.is_dir():
            found.append(path)
            continue
        found += [
            each for each in files_below(path) if each.suffix.lower() in extensions
        ]
    missing = [path for path in found if not path.is_file()]
    if missing or not found:
        came = missing[0] if missing else " ".join(files) or "none"
        raise ValueError(
            f"`FILE` must be a {noun} file, or a folder with some. Received: {came}"
        )
    return found


def beam_search(model, width):
    """Arguments of `transcribe` or `caption` for a search among several texts."""
    from keras_genai.samplers.ctc import PrefixBeam
    from keras_genai.tasks.transcription import CTC

    if isinstance(model, CTC):
        return {"decoder": PrefixBeam(width)}
    # Its other settings stay: a published model has tokens that it must not say.
    model.generation = dataclasses.replace(model.generation, num_beams=width)
    return {}


def _told(model, options):
    """Arguments of `transcribe` for a model that is told what to write."""
    from keras_genai.tasks.speech import SpeechSeq2SeqLM

    asked = {"language": options.language, "translate": options.translate}
    asked = {name: value for name, value in asked.items() if value}
    if asked and not isinstance(model, SpeechSeq2SeqLM):
        raise ValueError(
            "`--language` and `--translate` must be left out: this model is told "
            f"nothing. Received: {asked}"
        )
    return asked


def _rewrite(options, verb, task):
    work = _rewriter(
        options.name,
        verb,
        task,
        preset=options.preset,
        weights=options.weights,
        prefix=options.prefix,
        languages=getattr(options, "languages", None),
        max_length=options.max_length,
        quick=bool(options.text),
    )
    print_each(options.text, work)


def _rewriter(
    name,
    verb,
    task,
    preset=None,
    weights=None,
    prefix=None,
    languages=None,
    max_length=None,
    quick=False,
):
    """A function from a list of str to as many, by a model that rewrites texts.

    Args:
        name, preset, verb, weights: see `zoo._opening`.
        task: str, what such tasks are called in published files.
        prefix: str or `None` (what the model's files or its data say).
        languages: see `_choose`.
        max_length: int or `None`, tokens.
        quick: bool. Whether there are so few texts that compiling would take longer.
    """
    place = locate(name, preset)
    model = open_model(place, name, verb, weights)
    from keras_genai.evaluation.translation import translate

    known = {} if prefix is not None else _published(place, task)
    if not known and languages is not None and _speak(model, languages):
        languages = None
    chosen = _choose(known, languages)
    entry = entry_of(name, model.name)
    if prefix is None:
        prefix = chosen.get("prefix", _prefix(entry))
    read = getattr(entry, "reads", None) or str
    model.generation = _settings(model.generation, chosen)
    if quick:
        model.jit_generate = False

    def work(texts):
        texts = [prefix + read(text) for text in texts]
        _say_what_is_cut(model, texts)
        found = translate(model, texts, max_length=max_length)
        return [" ".join(text.split()) for text in found]

    return work


def _published(place, task):
    """What a published config.json says about tasks of a kind: dict of dicts."""
    from keras_genai.tasks.presets import CONFIG, find_folder, read_json

    config = read_json(find_folder(place) / CONFIG)
    found = config.get("task_specific_params") or {}
    if not isinstance(found, dict) or not all(
        isinstance(v, dict) for v in found.values()
    ):
        raise ValueError(f"`task_specific_params` of {place} must be a dict of dicts")
    return {name: given for name, given in found.items() if name.startswith(task)}


def _speak(model, languages):
    """Whether a model's texts have a language code, which are now these two."""
    from keras_genai.data.languages import has_codes
    from keras_genai.tasks.languages import translate_between

    if model.tokenizer is None or not has_codes(model.tokenizer):
        return False
    source, _, target = languages.partition("-")
    translate_between(model, source or None, target or None)
    return True


def _choose(known, languages):
    """The settings of one task; `languages` is `"en-de"`, or `None` if there is one."""
    if "summarization" in known:
        return known["summarization"]
    pairs = {
        name.removeprefix("translation_").replace("_to_", "-"): given
        for name, given in known.items()
    }
    if languages is None and len(pairs) < 2:
        return next(iter(pairs.values()), {})
    if languages not in pairs:
        choice = f"one of {', '.join(sorted(pairs))}" if pairs else "left out"
        raise ValueError(
            f"`--languages` must be {choice}. Received: {languages}. "
            "`zoo translate` takes a --prefix instead"
        )
    return pairs[languages]


def entry_of(*names):
    """The `Entry` that the first of these is of, or `None`."""
    known = zoo.names()
    return next((zoo.get(name) for name in names if name in known), None)


def _prefix(entry):
    """What an entry's training data has before each text."""
    from zoo.entry import unwrapped

    return "" if entry is None else unwrapped(entry.source)[1].get("prefix", "")


def _settings(own, published):
    """A model's `GenerationSettings`, with those of one task."""
    known = {field.name for field in dataclasses.fields(own)}
    changes = {key: value for key, value in published.items() if key in known}
    try:
        return dataclasses.replace(own, **changes)
    except TypeError as error:
        raise ValueError(f"`task_specific_params`: {error}") from None


def _say_what_is_cut(model, texts):
    """Names the texts of more tokens than the model reads, on stderr."""
    for text in texts:
        count = len(model.tokenizer.encode(text))
        if model.context is not None and count > model.context:
            say(
                "zoo",
                f"a text of {count:,} tokens was cut to the first {model.context:,}, "
                f"which is all that this model reads: {text[:40]!r}",
            )


def print_each(texts, work):
    """Prints a line for every text: what `work` makes of it, nothing of nothing.

    Args:
        texts: list of str; an empty one asks for the lines of standard input.
        work: function from a list of str to as many lines.
    """
    for batch in [texts] if texts else _lines():
        for line in _each(batch, work):
            print(line, flush=True)


def _each(texts, work):
    """Yields what `work` makes of every text, and nothing of nothing."""
    said = [text for text in texts if text.strip()]
    lines = iter(work(said) if said else ())
    for text in texts:
        yield next(lines) if text.strip() else ""


def _lines():
    """Yields lists of lines: single ones of a person, many of a file."""
    size = 1 if sys.stdin is not None and sys.stdin.isatty() else BATCH
    batch = []
    for line in input_lines():
        batch.append(line.strip())
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _content(file_or_text):
    """The text of a file, or else the argument itself."""
    from keras_genai.files.paths import as_path
    from keras_genai.files.text import read_text

    try:
        is_file = as_path(file_or_text, "--context").is_file()
    except (OSError, ValueError):  # too long for a name, or ~ of nobody: a text
        return file_or_text
    return read_text(file_or_text) if is_file else file_or_text
