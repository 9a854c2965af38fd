"""The server: FastAPI around Gradio, on one socket, until it is asked to end."""

from __future__ import annotations

import os
import signal
import socket
import threading
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

from fdnlearn.base.errors import FdnlearnError
from fdnlearn_audition import security
from fdnlearn_audition.limits import VisitorLimits
from fdnlearn_audition.messages import Refused
from fdnlearn_audition.room import ListeningRoom


def build(room: ListeningRoom, host: str = security.LOOPBACK, password: str | None = None) -> Any:
    """The ASGI application.

    Parameters
    ----------
    room : ListeningRoom
        Its `begin` and `end` are the caller's.
    host : str
        Address that it will listen at: decides which host names requests may carry.
    password : str or None
    """
    os.environ["GRADIO_TEMP_DIR"] = str(room.sessions.root / "gradio")
    import gradio as gr
    from fastapi import FastAPI
    from fastapi.staticfiles import StaticFiles
    from starlette.middleware.trustedhost import TrustedHostMiddleware

    from fdnlearn_audition.blocks import HEAD, blocks
    from fdnlearn_audition.routes import WEB, routes

    app = FastAPI(docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(routes(room))
    app.mount("/room/web", StaticFiles(directory=WEB))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        app = gr.mount_gradio_app(
            app,
            blocks(room),
            path="/",
            allowed_paths=[str(room.sessions.root)],
            show_error=False,
            max_file_size=room.limits.upload_bytes,
            ssr_mode=False,
            run_history=False,
            footer_links=[],
            enable_monitoring=False,
            pwa=False,
            mcp_server=False,
            head=HEAD,
            app_kwargs={"docs_url": None, "redoc_url": None, "openapi_url": None},
            favicon_path=str(WEB / "favicon.png"),
        )
    app.add_middleware(security.Guard, password=password)
    app.add_middleware(TrustedHostMiddleware, allowed_hosts=security.host_names(host), www_redirect=False)
    return app


def serve(
    host: str, port: int, opened: Path | None, password: str | None, announce: Callable[[str], None]
) -> None:
    """Open the room and keep it open until SIGINT or SIGTERM.

    Parameters
    ----------
    host : str
    port : int
        0 for any that is free.
    opened : Path or None
        Folder of results that visitors find opened.
    password : str or None
    announce : callable
        Receives the address once requests are accepted.

    Raises
    ------
    FdnlearnError
        If the address cannot be listened at.
    UsageError
        If others could reach it without a password.
    """
    security.admit(host, password)
    listening = _listen(host, port)
    import uvicorn

    with _asked_to_end() as asked:
        room = ListeningRoom(VisitorLimits(), opened)
        try:
            _begin(room, opened)
            config = uvicorn.Config(
                build(room, host, password),
                log_level="critical",
                access_log=False,
                timeout_graceful_shutdown=1,
                server_header=False,
            )
            server = uvicorn.Server(config)
            asked.append(server)
            name = f"[{host}]" if ":" in host else host
            announce(f"http://{name}:{listening.getsockname()[1]}/")
            server.run(sockets=[listening])
        finally:
            room.end()
            listening.close()


def _begin(room: ListeningRoom, opened: Path | None) -> None:
    try:
        room.begin()
    except Refused as refusal:
        raise FdnlearnError(str(opened), "cannot be opened", str(refusal)) from refusal


@contextmanager
def _asked_to_end() -> Iterator[list[Any]]:
    """Within, SIGINT and SIGTERM ask the server in the list to end, once there is one; nothing ends the process itself.

    The server listens to signals too, but only while it runs, and raises them again when it has ended: the room is to
    be cleared before the process goes.
    """
    servers: list[Any] = []

    def handle(number: int, frame: FrameType | None) -> None:
        if not servers:
            raise KeyboardInterrupt
        servers[0].should_exit = True

    here = threading.current_thread() is threading.main_thread()
    before = {number: signal.signal(number, handle) for number in (signal.SIGINT, signal.SIGTERM) if here}
    try:
        yield servers
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    try:
        listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listening.bind((host, port))
        listening.listen(128)
    except (OSError, UnicodeError, TypeError) as error:
        listening.close()
        # What no host can be called is refused before anybody is asked for it, by either of two errors.
        reason = (error.strerror or str(error)).lower() if isinstance(error, OSError) else "no such name"
        raise FdnlearnError(
            f"{host}:{port}", f"cannot be listened at ({reason})", "choose another --port or --host"
        ) from error
    return listening
