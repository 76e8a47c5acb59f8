"""What tokens are called beside their probabilities, and where they begin in a text."""

from typing import Any

HALF = "\ufffd"  # what is no whole character decodes to this
MOST_BYTES = 4  # of a character


class Names:
    """What tokens are called, and their bytes; each is looked up once.

    Args:
        tokenizer: `Tokenizer`.
    """

    def __init__(self, tokenizer: Any):
        self._tokenizer = tokenizer
        self._known: dict[int, tuple[str, list[int] | None]] = {}

    def __call__(self, token: int) -> tuple[str, list[int] | None]:
        """What a token is called, and its bytes.

        Args:
            token: int.

        Returns:
            `(text, data)`: str, and ints; or `"token_id:7"` and `None` of a token that
            is no whole character, as vLLM calls it.
        """
        if token not in self._known:
            self._known[token] = self._found(token)
        return self._known[token]

    def text(self, tokens: list[int]) -> str:
        """str: what tokens say together."""
        return self._tokenizer.decode(tokens, skip_special_tokens=False)

    def _found(self, token):
        # Behind itself, where a tokenizer would not leave out a blank that it begins
        # with.
        one, two = self.text([token]), self.text([token, token])
        text = two[len(one) :]
        if not text or HALF in two:
            return f"token_id:{token}", None
        return text, list(text.encode())


class Offsets:
    """Where the tokens of a text begin, in characters, one token after the other.

    Those that are parts of one character begin where it does.

    Args:
        names: `Names`.
        begin: int. Characters before the first token.
    """

    def __init__(self, names: Names, begin: int = 0):
        self._names, self._end = names, begin
        self._parts: list[int] = []  # of a character that is not whole yet

    def next(self, token: int) -> int:
        """int: where the next token begins."""
        text, data = self._names(token)
        if data is not None:
            self._close()
            begin, self._end = self._end, self._end + len(text)
            return begin
        begin = self._end
        self._parts.append(token)
        whole = HALF not in self._names.text(self._parts)
        if whole or len(self._parts) == MOST_BYTES:
            self._close()
        return begin

    def _close(self):
        """Counts what the parts have become, as it is shown."""
        if self._parts:
            self._end += len(self._names.text(self._parts))
            self._parts = []
