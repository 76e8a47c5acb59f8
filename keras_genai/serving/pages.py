"""The page that a server shows in a browser: one HTML, one script, one style sheet."""

import importlib.resources
from typing import Any

import fastapi
from starlette.responses import Response

FILES = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}


def add(app: fastapi.FastAPI) -> None:
    """Adds the routes of the page to an application."""
    folder = importlib.resources.files("keras_genai.serving") / "page"
    for path, (name, kind) in FILES.items():
        content = (folder / name).read_bytes()
        app.add_api_route(path, _sends(content, kind), include_in_schema=False)


def _sends(content: bytes, kind: str) -> Any:
    async def send():
        headers = {"content-type": kind, "cache-control": "no-cache"}
        return Response(content, headers=headers)

    return send
