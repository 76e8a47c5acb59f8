"""Which languages a translator reads and writes."""

import dataclasses

from keras_genai.data import languages


def translate_between(model, source=None, target=None):
    """Tells a model that knows many languages which ones are meant, in place.

    Args:
        model: `Seq2SeqLM` with the tokenizer of an mBART, NLLB or M2M-100.
        source: str or `None` (as it is), the code of the language that is read, as
            `"en_XX"`, `"eng_Latn"` or `"en"`.
        target: str or `None` (as it is), that of the language that is written, also by
            the targets of `loader`.

    Raises:
        ValueError: if the tokenizer has no such language.
    """
    tokenizer, generation = model.tokenizer, model.generation
    if tokenizer is None:
        raise ValueError(f"`model` must have a tokenizer. Received: {model.name}")
    model.tokenizer = languages.between(tokenizer, source, target)
    if target is None:
        return
    token = languages.language_id(tokenizer, target, "target")
    start = generation.decoder_start_token
    begins = start is None or languages.language_of(tokenizer, start)
    if languages.is_behind(tokenizer) and begins:
        found = {"decoder_start_token": token}
    else:
        found = {"forced_start_token": token}
    model.generation = dataclasses.replace(generation, **found)


def follow_generation(model):
    """Has the targets of `loader` in the language that decode settings begin with.

    Args:
        model: as in `translate_between`; one without a tokenizer stays as it is.
    """
    tokenizer, generation = model.tokenizer, model.generation
    if tokenizer is None or tokenizer.written is not tokenizer:
        return
    if not languages.has_codes(tokenizer):
        return
    for token in (generation.forced_start_token, generation.decoder_start_token):
        name = languages.language_of(tokenizer, token)
        if name:
            model.tokenizer = languages.between(tokenizer, target=name)
            return
