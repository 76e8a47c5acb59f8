"""How much a client may ask for, and who may ask: limits and keys."""

import dataclasses
import hmac
import os
from collections.abc import Iterable

from keras_genai.serving.errors import Refusal, invalid

VARIABLE = "KERAS_GENAI_API_KEY"  # of the environment: keys, with commas between them
LEAST_KEY = 8  # characters
LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a request may have at most.

    Args:
        body: int, bytes.
        messages: int, of a conversation.
        prompts: int, in one request for texts or for their vectors.
        prompt_tokens: int, of one prompt.
        max_tokens: int, of one answer. What nobody asked for ends there, too.
        n: int, choices or pictures.
        queue: int or `None` (four times the rows of an engine). Requests that wait.
        seconds: float. From a request to its end; then a text stops where it is.
        ping: float, seconds of silence after which a stream shows that it lives.
    """

    body: int = 32 * 2**20
    messages: int = 1_000
    prompts: int = 256
    prompt_tokens: int = 131_072
    max_tokens: int = 8_192
    n: int = 16
    queue: int | None = None
    seconds: float = 600.0
    ping: float = 15.0

    def check(self, name: str, count: int, param: str) -> None:
        """Raises a `Refusal` if there is more of something than allowed.

        Args:
            name: str, a field.
            count: int, how many there are.
            param: str, what a request calls it.
        """
        most = getattr(self, name)
        if count > most:
            raise invalid(
                f"`{param}` must be at most {most:,} here. Received: {count:,}", param
            )


class Keys:
    """The keys of a server: who has one may ask.

    Args:
        keys: strs. None of them: everybody may ask.

    Raises:
        ValueError: if a key is short, or has characters that no header has.
    """

    def __init__(self, keys: Iterable[str] = ()):
        self._keys = [key.encode() for key in keys]
        for key in self._keys:
            if len(key) < LEAST_KEY or not all(33 <= byte <= 126 for byte in key):
                raise ValueError(
                    f"`api_key` must be at least {LEAST_KEY} ASCII characters without "
                    f"blanks. Received: one of {len(key)}"
                )

    def __bool__(self):
        return bool(self._keys)

    def check(self, authorization: str | None) -> str:
        """Whose a request is.

        Args:
            authorization: str or `None`, the header.

        Returns:
            str: which key it is, not the key itself; empty where there are none.

        Raises:
            Refusal: 401.
        """
        if not self._keys:
            return ""
        kind, _, key = (authorization or "").partition(" ")
        given = key.strip().encode("utf-8", "surrogateescape")
        # All of them are compared, each in the same time whatever was given.
        same = [hmac.compare_digest(given, known) for known in self._keys]
        if kind.lower() == "bearer" and any(same):
            return f"key{same.index(True)}"
        said = "An API key must be given" if not given else "This API key is not known"
        raise Refusal(
            401,
            f"{said}: `Authorization: Bearer KEY`.",
            code="invalid_api_key",
            headers={"WWW-Authenticate": "Bearer"},
        )


def keys_of(given: Iterable[str]) -> list[str]:
    """list of str: keys that were given, and those of the environment."""
    found = [*given, *os.environ.get(VARIABLE, "").split(",")]
    return [key.strip() for key in found if key.strip()]


def check_host(host: str, keys: Keys, insecure: bool = False) -> None:
    """Raises a `ValueError` if anybody who reaches this machine could use a server.

    Args:
        host: str, what it listens to.
        keys: `Keys`.
        insecure: bool. Whether somebody said that this is meant.
    """
    if host in LOOPBACK or keys or insecure:
        return
    raise ValueError(
        f"`--host` must be one of {', '.join(LOOPBACK)} without `--api-key`: anybody "
        f"who reaches this machine could use it (`--insecure` allows it). "
        f"Received: {host}"
    )
