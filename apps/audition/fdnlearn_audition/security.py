"""Who may knock: loopback only unless a host and a password are given, known host names only, nothing from outside."""

from __future__ import annotations

import base64
import hmac
import ipaddress
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from contextlib import suppress
from typing import Any

from fdnlearn.base.errors import UsageError

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]

LOOPBACK = "127.0.0.1"
#: Environment variable that holds the password: a flag would show in the list of processes.
PASSWORD = "FDNLEARN_AUDITION_PASSWORD"
SHORTEST_PASSWORD = 8
#: Name that goes with the password; whatever is typed is accepted.
USER = "listener"

#: Scripts of this server alone, and no request to anywhere else; Gradio's own page evaluates its templates.
_POLICY = (
    "default-src 'self'; script-src 'self' 'unsafe-inline' 'unsafe-eval' blob:; style-src 'self' 'unsafe-inline'; "
    "img-src 'self' data: blob:; media-src 'self' data: blob:; font-src 'self' data:; connect-src 'self' blob:; "
    "worker-src 'self' blob:; object-src 'none'; base-uri 'self'; form-action 'self'; frame-ancestors 'self'"
)
_HEADERS = (
    (b"content-security-policy", _POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"referrer-policy", b"no-referrer"),
)


def is_loopback(host: str) -> bool:
    """Whether only this machine can reach an address."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def admit(host: str, password: str | None) -> None:
    """Refuse to listen where others can reach the room without a password.

    Raises
    ------
    UsageError
    """
    if password is not None and len(password) < SHORTEST_PASSWORD:
        raise UsageError(PASSWORD, "is too short", f"set it to {SHORTEST_PASSWORD} characters or more")
    if not is_loopback(host) and password is None:
        raise UsageError(
            f"--host {host}",
            "would open the room to others without a password",
            f"set the environment variable {PASSWORD}, or leave --host out",
        )


def host_names(host: str) -> list[str]:
    """What the ``Host`` header of a request may say: a page of another site that points its name here is refused."""
    names = {"localhost", LOOPBACK, "[::1]", f"[{host}]" if ":" in host else host}
    if not is_loopback(host):
        machine = socket.gethostname()
        names |= {machine, socket.getfqdn()}
        # A machine whose own name cannot be looked up is reached by the address that was given.
        with suppress(OSError):
            names |= {str(entry[4][0]) for entry in socket.getaddrinfo(machine, None)}
    return sorted(names - {"0.0.0.0", "[::]"})


class Guard:
    """ASGI middleware: asks for the password where there is one, and adds headers that keep a page to this server.

    Parameters
    ----------
    app : ASGI application
    password : str or None
    """

    def __init__(self, app: App, password: str | None) -> None:
        self._app, self._password = app, password

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        if self._password is not None and not self._knows(scope):
            headers = [
                (b"www-authenticate", b'Basic realm="fdnlearn listening room"'),
                (b"content-length", b"0"),
            ]
            await send({"type": "http.response.start", "status": 401, "headers": headers})
            await send({"type": "http.response.body", "body": b""})
            return

        async def guarded(message: MutableMapping[str, Any]) -> None:
            if message["type"] == "http.response.start":
                message = {**message, "headers": [*message.get("headers", ()), *_HEADERS]}
            await send(message)

        await self._app(scope, receive, guarded)

    def _knows(self, scope: Scope) -> bool:
        given = dict(scope["headers"]).get(b"authorization", b"")
        kind, _, value = given.partition(b" ")
        if kind.lower() != b"basic" or self._password is None:
            return False
        try:
            _, _, password = base64.b64decode(value, validate=True).partition(b":")
        except ValueError:
            return False
        return hmac.compare_digest(password, self._password.encode())
