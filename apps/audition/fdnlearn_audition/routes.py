"""What the page fetches beside Gradio's own routes: its scripts, uploads, responses, networks, downloads.

Every answer to a script is status 200 with ``{"ok": true, ...}`` or ``{"ok": false, "problem": "one sentence"}``: a
refusal is an answer, not a fault of the page. Every request carries the token of its session in a header that other
sites cannot send, downloads in their address.
"""

from __future__ import annotations

import json
import re
import secrets
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from fastapi import APIRouter, Request
from fastapi.responses import FileResponse, JSONResponse, PlainTextResponse, Response
from starlette.concurrency import run_in_threadpool

from fdnlearn.base.formats import NAMES, SUFFIXES
from fdnlearn_audition.messages import Refused, shown_name
from fdnlearn_audition.results import FILES
from fdnlearn_audition.room import ListeningRoom
from fdnlearn_audition.sessions import Session

WEB = Path(__file__).resolve().parent / "web"
TOKEN_HEADER = "x-room-token"
#: Downloads from a folder of results, beside exports.
_OPEN_FILES = (*FILES, "report.html")
_BODY_BYTES = 1 << 16
#: Folders that visitors bring results into, as a session names them.
_PLACE = re.compile(r"opened-[0-9a-f]{8}")


def routes(room: ListeningRoom) -> APIRouter:
    """All of them, under ``/room``."""
    router = APIRouter(prefix="/room", include_in_schema=False)

    async def answer(request: Request, work: Callable[[Session, dict[str, Any]], dict[str, Any]]) -> Response:
        """Find the session, read the JSON body, work in a thread, answer."""
        try:
            session = room.sessions.find(request.headers.get(TOKEN_HEADER, ""))
            document = _document(await _body(request, _BODY_BYTES))
            return JSONResponse({"ok": True, **await run_in_threadpool(work, session, document)})
        except Refused as refusal:
            return JSONResponse({"ok": False, "problem": str(refusal)})

    async def receive(request: Request, folder: Path, name: str) -> Path:
        """Write the body to a file of a name of our own, as it comes."""
        path = folder / name
        await _body(request, room.limits.upload_bytes, into=path)
        return path

    @router.post("/alive")
    async def alive(request: Request) -> Response:
        return await answer(request, lambda session, told: {})

    @router.post("/upload")
    async def upload(request: Request, name: str = "recording") -> Response:
        try:
            session = room.sessions.find(request.headers.get(TOKEN_HEADER, ""))
            suffix = Path(shown_name(name)).suffix.lower()
            if suffix not in SUFFIXES:
                raise Refused(f"{shown_name(name)}: is no {NAMES} file; export the recording to WAV")
            place = session.place("recording")
            try:
                path = await receive(request, place, shown_name(name))
                told = await run_in_threadpool(room.take_in, session, path, name)
            except Refused:
                shutil.rmtree(place, ignore_errors=True)
                raise
            return JSONResponse({"ok": True, **told})
        except Refused as refusal:
            return JSONResponse({"ok": False, "problem": str(refusal)})

    @router.post("/example")
    async def example(request: Request) -> Response:
        return await answer(request, lambda session, told: room.example(session, str(told.get("name"))))

    @router.post("/channel")
    async def channel(request: Request) -> Response:
        return await answer(
            request, lambda session, told: room.channel(session, int(_number(told, "channel")))
        )

    @router.post("/stop")
    async def stop(request: Request) -> Response:
        return await answer(request, lambda session, told: {"stopped": room.stop(session)})

    @router.post("/network")
    async def network(request: Request) -> Response:
        def work(session: Session, told: dict[str, Any]) -> dict[str, Any]:
            decay, size, rate = (_number(told, name) for name in ("decay", "size", "rate"))
            return {"network": room.network(session, str(told.get("take")), int(rate), decay, size)}

        return await answer(request, work)

    @router.post("/targets")
    async def targets(request: Request) -> Response:
        return await answer(request, lambda session, told: {"targets": room.targets()})

    @router.post("/export")
    async def export(request: Request) -> Response:
        def work(session: Session, told: dict[str, Any]) -> dict[str, Any]:
            names = told.get("targets")
            chosen = [str(name) for name in names] if isinstance(names, list) else []
            rate = int(_number(told, "rate")) if told.get("rate") is not None else None
            key = str(told.get("take"))
            if told.get("bundle"):
                path = room.bundle(session, key, rate)
                return {"rows": [{"target": "everything", "file": path.name}]}
            return {"rows": room.export(session, key, chosen, rate)[1]}

        return await answer(request, work)

    @router.post("/results/begin")
    async def begin_results(request: Request) -> Response:
        def work(session: Session, told: dict[str, Any]) -> dict[str, Any]:
            return {"place": session.place("opened").name}

        return await answer(request, work)

    @router.post("/results/{place}/{name}")
    async def receive_result(request: Request, place: str, name: str) -> Response:
        try:
            session = room.sessions.find(request.headers.get(TOKEN_HEADER, ""))
            folder = session.folder / place
            if name not in FILES or not _PLACE.fullmatch(place) or not folder.is_dir():
                raise Refused(f"{shown_name(name)}: is no file of a fit; choose the folder that a fit wrote")
            await receive(request, folder, name)
            return JSONResponse({"ok": True})
        except Refused as refusal:
            return JSONResponse({"ok": False, "problem": str(refusal)})

    @router.post("/results/{place}")
    async def open_results(request: Request, place: str) -> Response:
        def work(session: Session, told: dict[str, Any]) -> dict[str, Any]:
            folder = session.folder / place
            if not _PLACE.fullmatch(place) or not folder.is_dir():
                raise Refused("There is no such folder; choose it again")
            return {"shown": room.open_results(session, folder)}

        return await answer(request, work)

    async def sent(token: str, work: Callable[[Session], Path], download: str | None = None) -> Response:
        try:
            path = await run_in_threadpool(lambda: work(room.sessions.find(token)))
            return FileResponse(path, filename=download, headers={"Cache-Control": "no-store"})
        except Refused as refusal:
            return PlainTextResponse(str(refusal), status_code=404)

    @router.get("/response/{token}/{key}/{of}/{rate}.wav")
    async def response(token: str, key: str, of: str, rate: int) -> Response:
        return await sent(token, lambda session: room.response(session, key, of, rate))

    @router.get("/dry/{token}/{name}/{rate}.wav")
    async def dry(token: str, name: str, rate: int) -> Response:
        return await sent(token, lambda session: room.dry(session, name, rate))

    @router.get("/file/{token}/{key}/{name:path}")
    async def file(token: str, key: str, name: str) -> Response:
        def work(session: Session) -> Path:
            folder = session.take(key).folder.resolve()
            try:
                path = (folder / name).resolve()
                within = path.is_relative_to(folder) and path.is_file()
            except (OSError, ValueError):  # a name that no file can have
                within = False
            if not within or not (name in _OPEN_FILES or path.suffix == ".zip"):
                raise Refused("There is no such file")
            return path

        return await sent(token, work, download=name.rsplit("/", 1)[-1])

    @router.get("/worklet.js")
    async def worklet() -> Response:
        from fdnlearn.export.webaudio import network_loop

        source = network_loop() + (WEB / "worklet.js").read_text(encoding="utf-8")
        return Response(source, media_type="text/javascript")

    return router


def _document(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body or b"{}")
    except (ValueError, RecursionError):
        raise Refused("The request is not JSON; load the page again") from None
    if not isinstance(document, dict):
        raise Refused("The request is no JSON object; load the page again")
    return document


def _number(document: dict[str, Any], name: str) -> float:
    value = document.get(name)
    if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e9:
        raise Refused(f"{name} is no number; choose one")
    return float(value)


async def _body(request: Request, most: int, into: Path | None = None) -> bytes:
    """Read a body of at most `most` bytes, into a file if one is named."""
    too_large = Refused(f"The file is larger than {most >> 20} MB; cut it to what is needed")
    if int(request.headers.get("content-length") or 0) > most:
        raise too_large
    size, chunks = 0, []
    partial = None if into is None else into.with_name(secrets.token_hex(6))
    file = None if partial is None else partial.open("wb")
    try:
        async for chunk in request.stream():
            size += len(chunk)
            if size > most:
                raise too_large
            if file is None:
                chunks.append(chunk)
            else:
                file.write(chunk)
    finally:
        if file is not None:
            file.close()
    if into is not None and partial is not None:
        partial.replace(into)
    return b"".join(chunks)
