"""What the server answers: the page, its script, and the stream of events."""

from __future__ import annotations

from importlib.resources import files
from typing import TYPE_CHECKING

from sightline.serving.following import Following
from sightline.serving.hosts import OnlyOurs

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response
    from starlette.types import ASGIApp

POLICY = (
    "default-src 'none'; script-src 'self'; connect-src 'self'; style-src 'unsafe-inline'; img-src data:; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
"""What the page may load: pictures that are part of it, and what this server has."""
HEADERS = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-store",
}


def build(following: Following, *, bound: str) -> ASGIApp:
    """Return the application.

    Args:
        following: the run.
        bound: where the server listens, a name or an address: requests for another are refused.
    """
    from starlette.applications import Starlette
    from starlette.responses import HTMLResponse, Response, StreamingResponse
    from starlette.routing import Route

    script = files("sightline.serving").joinpath("watch.js").read_bytes()

    async def page(_: Request) -> Response:
        return HTMLResponse(following.view.page, headers=HEADERS)

    async def watch(_: Request) -> Response:
        return Response(script, headers=HEADERS, media_type="text/javascript")

    async def events(_: Request) -> Response:
        return StreamingResponse(following.events(), headers=HEADERS, media_type="text/event-stream")

    routes = [Route("/", page), Route("/watch.js", watch), Route("/events", events)]
    return OnlyOurs(Starlette(routes=routes), bound)
