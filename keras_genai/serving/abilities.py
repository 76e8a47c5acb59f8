"""What may be asked of a model over HTTP: that follows from what it makes of what."""

from typing import Any

CHAT, COMPLETIONS, EMBEDDINGS = "chat", "completions", "embeddings"
PICTURES, SPEECH, TRANSCRIPTIONS = "images", "speech", "transcriptions"
TEXTS = (CHAT, COMPLETIONS)
SOUNDS = {"mels", "waves"}
# Where each is asked for, for errors and for the list of models.
PATHS = {
    CHAT: "/v1/chat/completions",
    COMPLETIONS: "/v1/completions",
    EMBEDDINGS: "/v1/embeddings",
    PICTURES: "/v1/images/generations",
    SPEECH: "/v1/audio/speech",
    TRANSCRIPTIONS: "/v1/audio/transcriptions",
}


def abilities(model: Any) -> tuple[str, ...]:
    """What a model can be asked for.

    Args:
        model: `Task`.

    Returns:
        tuple of keys of `PATHS`.
    """
    made = model.makes
    if made is None:
        return ()
    reads = {kind.key for kind in model.given}
    is_text = made.key == "tokens"
    is_written = is_text and "max_length" in made.options  # token by token
    reads_text = reads == {"tokens"}
    found = {
        CHAT: is_written and reads_text,
        COMPLETIONS: is_written and reads_text,
        EMBEDDINGS: made.key == "vectors" and "tokens" in reads,
        PICTURES: made.suffix == ".png" and reads <= {"tokens", "labels"},
        SPEECH: made.suffix == ".wav" and "tokens" in reads,
        TRANSCRIPTIONS: is_text and bool(reads) and reads <= SOUNDS,
    }
    if model.tokenizer is None:  # texts could not be read, or not be shown
        found = {PICTURES: found[PICTURES] and not reads_text}
    return tuple(name for name, has in found.items() if has)
