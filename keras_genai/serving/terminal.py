"""A conversation in a terminal."""

from collections.abc import Callable

from keras_genai.serving.chat import Chat

QUIT, RESET = "quit", "reset"


def talk(
    chat: Chat,
    read: Callable[[str], str] = input,
    write: Callable[..., None] = print,
) -> None:
    """Reads lines and writes answers until `quit`, the end of the input, or Ctrl-C.

    Args:
        chat: `Chat`.
        read: function `read(prompt)` that returns a line, or raises `EOFError`.
        write: function with the arguments of `print`.
    """
    write(f"{chat.model.name} listens. `{QUIT}` ends, `{RESET}` begins anew.")
    while True:
        try:
            text = read("you> ").strip()
            if text.lower() == QUIT:
                return
            if text.lower() == RESET:
                chat.reset()
            elif text:
                _answer(chat, text, write)
        except (EOFError, KeyboardInterrupt):
            write("")
            return


def _answer(chat, text, write):
    try:
        pieces = chat.stream(text)
        write("bot> ", end="", flush=True)
        for piece in pieces:
            write(piece, end="", flush=True)
        write("")
    except ValueError as error:  # a character that the tokenizer does not know
        write(f"! {' '.join(str(error).split())}")
