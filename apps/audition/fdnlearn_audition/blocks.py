"""The Gradio half of the page: its frame and its events."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import aclosing
from typing import Any

# Read when Gradio is imported: it must not call anywhere.
os.environ["GRADIO_ANALYTICS_ENABLED"] = "False"
os.environ.setdefault("HF_HUB_OFFLINE", "1")
os.environ.setdefault("HF_HUB_DISABLE_TELEMETRY", "1")
# Seconds after which a program that has closed its client is missed; a closed page is missed at once.
os.environ.setdefault("GRADIO_HEARTBEAT_INTERVAL", "2")

import gradio as gr
from starlette.concurrency import run_in_threadpool

from fdnlearn_audition.endpoints import endpoints
from fdnlearn_audition.messages import Refused
from fdnlearn_audition.room import ListeningRoom
from fdnlearn_audition.routes import WEB

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
                return {
                    "kind": "entered",
                    "ok": True,
                    **await run_in_threadpool(room.enter, str(request.session_hash)),
                }
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
        stage.enter(enter, None, api_name="page_enter", **quiet)
        stage.fit(fit, None, api_name="page_fit", **quiet)
        stage.resume(resume, None, api_name="page_resume", **quiet)
        page.unload(leave)
        endpoints(room)
    page.queue(max_size=256, default_concurrency_limit=8, api_open=False)
    return page


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
