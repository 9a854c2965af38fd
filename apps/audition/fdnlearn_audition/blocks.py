"""The Gradio half: the page's frame, its events, and the named endpoints for programs."""

from __future__ import annotations

import os
import shutil
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

# Read when Gradio is imported: it must not call anywhere.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")

import gradio as gr

from fdnlearn import registry
from fdnlearn_audition.messages import Refused, shown_name
from fdnlearn_audition.room import ListeningRoom
from fdnlearn_audition.routes import WEB
from fdnlearn_audition.sessions import Session

TITLE = "fdnlearn listening room"
HEAD = """
<link rel="stylesheet" href="/room/web/room.css">
<link rel="modulepreload" href="/room/web/main.js">
<meta name="color-scheme" content="light dark">
"""
#: Gradio makes a listener for every event whose name stands in the script.
_STAGE_JS = """
const events = ["enter", "fit", "resume"];
import("/room/web/main.js").then(page => page.mount(element, trigger));
"""
_NEWS_JS = """
watch("value", () => window.dispatchEvent(new CustomEvent("room-news", { detail: props.value })));
"""
_FORGET_S = 3600


def blocks(room: ListeningRoom) -> gr.Blocks:
    """Build the interface.

    Parameters
    ----------
    room : ListeningRoom
    """
    markup = (WEB / "page.html").read_text(encoding="utf-8")
    page: gr.Blocks
    with gr.Blocks(
        title=TITLE, analytics_enabled=False, fill_width=True, delete_cache=(300, _FORGET_S)
    ) as page:
        stage = gr.HTML(
            html_template=markup,
            js_on_load=_STAGE_JS,
            apply_default_css=False,
            elem_id="stage",
        )
        news = gr.HTML(html_template="", js_on_load=_NEWS_JS, apply_default_css=False, elem_id="news")

        async def enter(request: gr.Request) -> dict[str, Any]:
            try:
                return {"kind": "entered", "ok": True, **await _thread(room.enter, str(request.session_hash))}
            except Refused as refusal:
                return {"kind": "entered", "ok": False, "problem": str(refusal)}

        async def fit(event: gr.EventData, request: gr.Request) -> AsyncIterator[dict[str, Any]]:
            options = {name: value for name, value in event._data.items() if name != "component"}
            async with aclosing(_follow(room, request, lambda session: room.start(session, options))) as told:
                async for line in told:
                    yield line

        async def resume(request: gr.Request) -> AsyncIterator[dict[str, Any]]:
            async with aclosing(_follow(room, request, room.resume)) as told:
                async for line in told:
                    yield line

        def leave(request: gr.Request) -> None:
            room.leave(str(request.session_hash))

        quiet: dict[str, Any] = {
            "outputs": news,
            "api_visibility": "private",
            "show_progress": "hidden",
            "concurrency_limit": None,
        }
        stage.enter(enter, None, **quiet)
        stage.fit(fit, None, **quiet)
        stage.resume(resume, None, **quiet)
        page.unload(leave)
        _endpoints(room)
    page.queue(max_size=256, default_concurrency_limit=8, api_open=False)
    return page


async def _thread(work: Any, *args: Any) -> Any:
    from starlette.concurrency import run_in_threadpool

    return await run_in_threadpool(work, *args)


async def _follow(
    room: ListeningRoom, request: gr.Request, begin: Any
) -> AsyncGenerator[dict[str, Any], None]:
    """News of a fit for the page; a refusal is news too."""
    try:
        session = room.sessions.open(str(request.session_hash))
        fit = begin(session)
        async for told in room.follow(session, fit):
            yield {"kind": "fit", **told}
    except Refused as refusal:
        yield {"kind": "fit", "state": "failed", "place": 0, "problem": str(refusal)}


def _endpoints(room: ListeningRoom) -> None:
    """What programs call by name: ``/describe``, ``/fit``, ``/stop``, ``/export``."""
    recording = gr.File(label="Impulse response", visible=False)
    model = gr.Textbox(registry.DEFAULT_MODEL, label="Model", visible=False)
    method = gr.Textbox("gradient", label="Method", visible=False)
    lines = gr.Number(None, label="Lines (none: the model's usual)", precision=0, visible=False)
    iterations = gr.Number(None, label="Iterations (none: the model's usual)", precision=0, visible=False)
    seed = gr.Number(0, label="Seed", precision=0, visible=False)
    targets = gr.Textbox("wav", label="Export targets, separated by commas", visible=False)
    told = gr.JSON(visible=False)
    files = gr.File(file_count="multiple", visible=False)
    button = gr.Button(visible=False)

    def bring(session: Session, path: str | None) -> dict[str, Any]:
        if not path:
            raise Refused("There is no recording; give one")
        place = session.place("recording") / shown_name(path)
        if Path(path).stat().st_size > room.limits.upload_bytes:
            raise Refused(f"The file is larger than {room.limits.upload_bytes >> 20} MB; cut it")
        shutil.copyfile(path, place)
        return room.take_in(session, place, Path(path).name)

    async def describe(recording: str | None, request: gr.Request) -> dict[str, Any]:
        with _clean_errors():
            session = room.sessions.open(str(request.session_hash))
            return dict(await _thread(bring, session, recording))

    async def fit(
        recording: str | None,
        model: str,
        method: str,
        lines: int | None,
        iterations: int | None,
        seed: int | None,
        request: gr.Request,
    ) -> AsyncIterator[tuple[dict[str, Any], list[str] | None]]:
        given = {
            "model": model,
            "method": method,
            "lines": lines,
            "iterations": iterations,
            "seed": seed or 0,
        }
        with _clean_errors():
            session = room.sessions.open(str(request.session_hash))
            await _thread(bring, session, recording)
            started = room.start(session, given)
            async for news in room.follow(session, started):
                if news["state"] == "failed":
                    raise Refused(news["problem"])
                finished = news["state"] == "done"
                folder = Path(started.request.folder)
                yield news, sorted(str(p) for p in folder.iterdir() if p.is_file()) if finished else None

    async def stop(request: gr.Request) -> dict[str, Any]:
        with _clean_errors():
            return {"stopped": room.stop(room.sessions.open(str(request.session_hash)))}

    async def export(targets: str, request: gr.Request) -> tuple[dict[str, Any], list[str]]:
        with _clean_errors():
            session = room.sessions.open(str(request.session_hash))
            if not session.takes:
                raise Refused("There is nothing to export yet; fit first")
            key = next(reversed(session.takes))
            names = [name.strip() for name in targets.split(",") if name.strip()]
            take, rows = await _thread(room.export, session, key, names, None)
            return {"exports": rows}, [str(take.folder / row["file"]) for row in rows if "file" in row]

    fit_inputs = [recording, model, method, lines, iterations, seed]
    button.click(describe, recording, told, api_name="describe", concurrency_limit=8)
    button.click(fit, fit_inputs, [told, files], api_name="fit", concurrency_limit=None)
    button.click(stop, None, told, api_name="stop", concurrency_limit=None)
    button.click(export, targets, [told, files], api_name="export", concurrency_limit=8)


class _clean_errors:
    """Refusals become Gradio's errors, as one line; anything else becomes a line that gives nothing away."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Refused):
            raise gr.Error(str(error), print_exception=False) from None
