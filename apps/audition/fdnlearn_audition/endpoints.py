"""What programs call by name: ``/describe``, ``/fit``, ``/stop``, ``/export``; docs/audition.md has an example."""

from __future__ import annotations

import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import gradio as gr
from starlette.concurrency import run_in_threadpool

from fdnlearn import registry
from fdnlearn_audition.messages import Refused, shown_name
from fdnlearn_audition.room import ListeningRoom
from fdnlearn_audition.sessions import Session


def endpoints(room: ListeningRoom) -> None:
    """Add them to the interface that is being built.

    Parameters
    ----------
    room : ListeningRoom
    """
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
            return await run_in_threadpool(bring, session, recording)

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
            await run_in_threadpool(bring, session, recording)
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
            take, rows = await run_in_threadpool(room.export, session, key, names, None)
            return {"exports": rows}, [str(take.folder / row["file"]) for row in rows if "file" in row]

    fit_inputs = [recording, model, method, lines, iterations, seed]
    button.click(describe, recording, told, api_name="describe", concurrency_limit=8)
    button.click(fit, fit_inputs, [told, files], api_name="fit", concurrency_limit=None)
    button.click(stop, None, told, api_name="stop", concurrency_limit=None)
    button.click(export, targets, [told, files], api_name="export", concurrency_limit=8)


class _clean_errors:
    """Refusals become Gradio's errors, as one line.

    Of any other error Gradio prints the trace on the server and tells the visitor nothing (`show_error` in `server`).
    """

    def __enter__(self) -> None:
        pass

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if isinstance(error, Refused):
            raise gr.Error(str(error), print_exception=False) from None
