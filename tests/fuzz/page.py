"""Requests to the listening room, by its named endpoints and its page's routes: an answer, or one sentence."""

from __future__ import annotations

import asyncio
import contextlib
import importlib
import inspect
import json
import random
from collections.abc import Callable, Iterator
from pathlib import Path
from tempfile import TemporaryDirectory
from types import SimpleNamespace
from typing import Any, NamedTuple
from unittest import mock

import gradio as gr
from command_line import decay, record
from fastapi import FastAPI
from fastapi.testclient import TestClient
from fdn_networks import network
from fdnlearn_audition.endpoints import endpoints
from fdnlearn_audition.fit_process import FitRequest
from fdnlearn_audition.fits import Fit
from fdnlearn_audition.limits import VisitorLimits
from fdnlearn_audition.messages import Refused, clean, told
from fdnlearn_audition.room import OPENED, ListeningRoom
from fdnlearn_audition.routes import TOKEN_HEADER, routes

from fdnlearn import FitConfig, registry
from fdnlearn.base.errors import FdnlearnError
from fdnlearn.examples import DRY_CLIPS, ROOMS
from fdnlearn.fdn import save_fdn
from fuzz.cases import Case, Fault, Kind
from fuzz.mutations import WORDS
from fuzz.verdicts import clear, strict

_VISITOR = "visitor"
_FILES = ("room.wav", "text.wav", "")
_NUMBERS = (None, 0, 1, 4, 64, 65, -1, 5000, 5001, 10**6, 2**53, 2**64, 10**400, 0.5, 1e308)
_TARGETS = ("wav", "wav,c99", "sofa", "csound, faust", "all", ",", "vst4", "wav,wav")
_CHOICES: dict[str, tuple[Any, ...]] = {
    "recording": _FILES,
    "model": tuple(registry.MODELS),
    "method": tuple(registry.METHODS),
    "lines": _NUMBERS,
    "iterations": _NUMBERS,
    "seed": _NUMBERS,
    "targets": _TARGETS,
}
_KEYS = (OPENED, "none", "", "../x", "gradient-banded")
_BODIES: dict[str, dict[str, tuple[Any, ...]]] = {
    "alive": {},
    "example": {"name": (*ROOMS, "../x", None, 1)},
    "channel": {"channel": (0, 1, -1, 0.5, 1e8, "0", None, True)},
    "stop": {},
    "network": {
        "take": _KEYS,
        "rate": (48000, 44100, 0, -1, 48000.5, "48000"),
        "decay": (1, 0.2, 4, 0, 5, None),
        "size": (1, 0.25, 4, 100),
    },
    "targets": {},
    "export": {
        "take": _KEYS,
        "targets": (["wav"], ["wav", "c99"], ["wav", "wav"], [None], "wav", {}, [["wav"]]),
        "rate": (None, 48000, 4000, 3999, 192000, "x"),
        "bundle": (False, None, 0, []),
    },
    "results/begin": {},
    "results/opened-00/fdn.json": {},
    "results/..": {},
    "results/opened-" + "x" * 300: {},
}
_ADDRESSES = (
    f"response/{{token}}/{OPENED}/network/48000.wav",
    f"response/{{token}}/{OPENED}/room/48000.wav",
    "response/{token}/none/x/-1.wav",
    "response/x/none/network/48000.wav",
    *(f"dry/{{token}}/{name}/48000.wav" for name in DRY_CLIPS[:1]),
    "dry/{token}/none/99999999999999999999.wav",
    f"file/{{token}}/{OPENED}/fdn.json",
    f"file/{{token}}/{OPENED}/../../x",
    f"file/{{token}}/{OPENED}/%00.zip",
    f"file/{{token}}/{OPENED}/" + "x" * 300 + ".zip",
)


class _Here(NamedTuple):
    """The room of the world around."""

    room: ListeningRoom
    calls: dict[str, Callable[..., Any]]
    client: TestClient
    loop: asyncio.AbstractEventLoop


_here: list[_Here] = []


class _Bench:
    """Tasks in this process; what surprises one is a fault."""

    def run(self, task: str, *args: Any, subject: str | None = None) -> Any:
        module, _, name = task.partition(":")
        try:
            return getattr(importlib.import_module(module), name)(*args)
        except FdnlearnError as error:
            raise Refused(told(error, subject)) from None

    def warm(self) -> None:
        pass

    def end(self) -> None:
        pass


class _Fits:
    """Fits that get as far as their settings."""

    def submit(self, request: FitRequest) -> Fit:
        FitConfig.for_model(request.model, **request.settings)
        fit = Fit(request)
        fit._told["problem"] = f"{request.name}: is not fitted here; fit elsewhere"
        fit._set("failed")
        return fit

    def place(self, fit: Fit) -> int:
        return 0

    def warm(self) -> None:
        pass

    def end(self) -> None:
        pass


@contextlib.contextmanager
def _world() -> Iterator[None]:
    with TemporaryDirectory() as folder, mock.patch.dict("os.environ", {"GRADIO_TEMP_DIR": folder}):
        results = Path(folder) / "fit"
        results.mkdir()
        save_fdn(network(2, sample_rate_hz=8000, delays=(50, 200)), results / "fdn.json")
        room = ListeningRoom(VisitorLimits(), results)
        room.bench, room.fits = _Bench(), _Fits()  # type: ignore[assignment]
        room.begin()
        app = FastAPI()
        app.include_router(routes(room))
        # Gradio would make a loop of its own, and leave it open.
        loop = asyncio.new_event_loop()
        asyncio.set_event_loop(loop)
        with gr.Blocks() as blocks:
            endpoints(room)
        calls = {str(one.api_name): one.fn for one in blocks.fns.values() if one.fn is not None}
        try:
            with TestClient(app) as client:  # one loop for all requests
                _here.append(_Here(room, calls, client, loop))
                yield
        finally:
            _here.pop()
            room.end()
            asyncio.set_event_loop(None)
            loop.close()


def _seeds() -> list[Case]:
    usual = {"recording": "room.wav", "model": "homogeneous", "method": "gradient", "lines": 4}
    steps = (
        [["describe", {"recording": "room.wav"}]],
        [["fit", usual | {"iterations": 5, "seed": 0}], ["stop", {}]],
        [["export", {"targets": "wav,c99"}]],
        *([[f"/{name}", {key: values[0] for key, values in body.items()}]] for name, body in _BODIES.items()),
        *([[f"get {address}", {}]] for address in _ADDRESSES),
        [["upload room.wav", {"file": "room.wav"}], ["/channel", {"channel": 0}]],
    )
    return [_case(one) for one in steps]


def _case(steps: list[Any]) -> Case:
    return Case(json.dumps(steps).encode(), ".json")


def _mutate(rng: random.Random, known: list[Case], case: Case) -> Case:
    steps = json.loads(case.content)
    if rng.random() < 0.3:
        steps = [*steps, *json.loads(rng.choice(known).content)][-3:]
    step = rng.choice(steps)
    name, given = step
    choices = _BODIES.get(name.removeprefix("/"), {}) if name.startswith("/") else _CHOICES
    for key in rng.sample(sorted(given), min(len(given), rng.choice((1, 1, 2, 3)))):
        given[key] = _value(rng, choices.get(key, ()), named=not name.startswith("/"))
    if name.startswith("upload ") and rng.random() < 0.5:
        step[0] = "upload " + rng.choice(
            ("a.flac", "../../x.wav", "x" * 300 + ".wav", "\U0001f3b5" * 80 + ".wav", "\n.wav", "a.exe")
        )
    if name.startswith("/") and rng.random() < 0.2:
        given[rng.choice(("", "take", "rate", "more"))] = _value(rng, (), named=False)
    return _case(steps)


def _value(rng: random.Random, choices: tuple[Any, ...], *, named: bool) -> Any:
    """What a field may be given; the components of a named endpoint see to it that texts are texts."""
    if choices and rng.random() < 0.75:
        return rng.choice(choices)
    if named:
        return rng.choice(_NUMBERS if any(isinstance(one, int) for one in choices) else WORDS)
    return rng.choice((*WORDS, *_NUMBERS, [], {}, [[]], True, "\ud800"))


def _check(case: Case) -> None:
    here = _here[-1]
    record(Path("room.wav"), decay(0.15, rate=8000), 8000)
    Path("text.wav").write_text("no sound\n")
    token = here.room.enter(_VISITOR)["token"]
    try:
        for name, given in json.loads(case.content):
            _judge(name, lambda name=name, given=given: _step(here, token, name, given))  # type: ignore[misc]
    finally:
        here.room.leave(_VISITOR)


def _judge(name: str, step: Callable[[], Any]) -> None:
    try:
        answer = step()
    except gr.Error as error:
        clear(_with_remedy(str(error.message)))
        return
    text = json.dumps(answer) if answer is not None else "null"
    strict(text)
    if isinstance(answer, dict) and answer.get("ok") is False:
        clear(_with_remedy(str(answer["problem"])))


def _with_remedy(sentence: str) -> str:
    """A sentence of the room, whose remedy may stand in it."""
    if clean(sentence) != " ".join(sentence.split()):
        raise Fault(f"tells of the server: {sentence!r}")
    return sentence if ";" in sentence else f"{sentence};"


def _step(here: _Here, token: str, name: str, given: dict[str, Any]) -> Any:
    if name in here.calls:
        return _call(here, here.calls[name], given)
    headers = {TOKEN_HEADER: token}
    if name.startswith("get "):
        got = here.client.get("/room/" + name.removeprefix("get ").format(token=token))
        if got.status_code not in (200, 404, 422):
            raise Fault(f"{name} is answered with {got.status_code}")
        return None
    if name.startswith("upload "):
        body = Path(given["file"]).read_bytes() if given["file"] in _FILES[:-1] else b""
        parameters = {"name": name.removeprefix("upload ")}
        got = here.client.post("/room/upload", params=parameters, content=body, headers=headers)
    else:
        got = here.client.post(f"/room{name}", content=json.dumps(given).encode(), headers=headers)
    if got.status_code != 200:
        if got.status_code in (404, 405):
            return None
        raise Fault(f"{name} is answered with {got.status_code}")
    return strict(got.text)


def _call(here: _Here, function: Callable[..., Any], given: dict[str, Any]) -> Any:
    request = SimpleNamespace(session_hash=_VISITOR)
    names = [name for name in inspect.signature(function).parameters if name != "request"]
    values = {name: given.get(name) for name in names}
    if "recording" in values:
        values["recording"] = values["recording"] if Path(str(values["recording"])).is_file() else None

    async def work() -> Any:
        outcome = function(**values, request=request)
        if inspect.isasyncgen(outcome):
            return [one async for one in outcome]
        return await outcome

    return here.loop.run_until_complete(work())


PAGE = Kind("page", _seeds, _mutate, _check, _world)
