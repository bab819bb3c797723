"""Which names a browser may call the server by.

A page of somebody else's, open in the same browser, can have its own name lead to this machine (DNS rebinding), and
would then be allowed to read what is served here. Its requests still carry that name, so whatever has a name that is
not ours is refused. An address in numbers cannot be made to lead elsewhere.
"""

from __future__ import annotations

import ipaddress
import socket
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

REFUSED = 421
"""HTTP's status for a request that was meant for another server."""


def is_loopback(host: str) -> bool:
    """Return whether only this machine reaches what listens at `host`, a name or an address."""
    address = _address(host)
    return address.is_loopback if address is not None else _bare(host) == "localhost"


def is_ours(host: str, *, bound: str) -> bool:
    """Return whether a request for `host` was meant for the server that listens at `bound`.

    Args:
        host: the header of the request, with or without a port.
        bound: a name or an address.
    """
    name = _without_port(host)
    if is_loopback(bound):
        return is_loopback(name)
    if _address(name) is not None:
        return True
    return _bare(name) in {"localhost", _bare(bound), _bare(socket.gethostname())}


@dataclass(frozen=True)
class OnlyOurs:
    """An application that refuses requests that were meant for another server."""

    app: ASGIApp
    bound: str

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        from starlette.datastructures import Headers
        from starlette.responses import PlainTextResponse

        if scope["type"] == "http" and not is_ours(Headers(scope=scope).get("host", ""), bound=self.bound):
            says = "This address is not one of sightline watch. Open the one that it printed.\n"
            await PlainTextResponse(says, REFUSED)(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0]


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _bare(name: str) -> str:
    return name.lower().rstrip(".")
