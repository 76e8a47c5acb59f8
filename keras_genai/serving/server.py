"""A server of models, from its first line to its last."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterable
from typing import Any

from keras_genai.serving.limits import LOOPBACK, Keys, Limits, check_host
from keras_genai.serving.served import Models

GRACE = 5  # seconds in which answers that are being sent may end


def serve(
    models: Models,
    host: str = "127.0.0.1",
    port: int = 8000,
    keys: Iterable[str] = (),
    limits: Limits | None = None,
    origins: Iterable[str] = (),
    insecure: bool = False,
    say: Callable[[str], None] = print,
) -> None:
    """Serves models until Ctrl-C or a signal to end.

    It answers at once; requests to models are refused with 503 until they are warm.

    Args:
        models: `Models`, not ready.
        host: str. By itself only this machine can ask.
        port: int. 0 is any that is free.
        keys: strs, one of which a client must have. By itself everybody may ask.
        limits: `Limits`.
        origins: strs, other sites whose pages may ask.
        insecure: bool. Whether other machines may ask without a key.
        say: function of a line.

    Raises:
        ImportError: if FastAPI or uvicorn is not installed.
        OSError: if it cannot listen there.
        ValueError: if it would be open to everybody.
    """
    known = Keys(keys)
    check_host(host, known, insecure)
    create_app, uvicorn = _parts()
    # Nobody else's page can make a browser call this machine by a name of its own.
    hosts = None if known or host not in LOOPBACK else ("localhost", "127.0.0.1", "::1")
    app = create_app(models, known, limits, hosts, origins)
    config = uvicorn.Config(
        app,
        log_level="warning",
        server_header=False,
        timeout_graceful_shutdown=GRACE,
        lifespan="on",
    )
    listening = listener(host, port)
    address, number = listening.getsockname()[:2]
    say(f"http://{f'[{address}]' if ':' in address else address}:{number}")
    threading.Thread(target=warm_up, args=(models, say), daemon=True).start()
    _server(uvicorn)(config, models).run([listening])


def listener(host: str, port: int) -> socket.socket:
    """A socket that listens.

    Raises:
        OSError: if it cannot listen there.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=2048)
    except OSError as error:
        raise OSError(
            f"`--port` must be one that is free, at a `--host` of this machine. "
            f"Received: {host} {port}: {error}"
        ) from None


def check_installed() -> None:
    """Raises an `ImportError` that says what to install, if something is missing."""
    _parts()


def warm_up(models: Models, say: Callable[[str], None]) -> None:
    """Makes models ready and says so; those that cannot be are closed."""
    said = "ready"
    try:
        models.warm_up()
    except Exception as error:
        said = f"The models cannot be made ready: {error!r}"
        models.close()
    with contextlib.suppress(OSError):  # nobody may read it any more
        say(said)


def _parts():
    """What needs the extra."""
    try:
        import uvicorn

        from keras_genai.serving.app import create_app
    except ImportError as error:
        raise ImportError(
            "serving needs fastapi, uvicorn and python-multipart, which are not all "
            f'installed: python -m pip install "keras_genai[serve]". Received: {error}'
        ) from None
    return create_app, uvicorn


def _server(uvicorn: Any) -> Any:
    """The class of uvicorn's servers, which ends answers first of all."""

    class Server(uvicorn.Server):
        def __init__(self, config, models):
            super().__init__(config)
            self.models = models

        def handle_exit(self, sig, frame):
            # Or streams would be waited for.
            threading.Thread(target=self.models.close, daemon=True).start()
            super().handle_exit(sig, frame)

    return Server
