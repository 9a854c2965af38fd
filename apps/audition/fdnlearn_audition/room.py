"""The listening room: what visitors can do, whichever way they ask (page or programming interface)."""

from __future__ import annotations

import asyncio
import shutil
import threading
from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from fdnlearn import registry
from fdnlearn.base.formats import NAMES, SUFFIXES
from fdnlearn.examples import DRY_CLIPS, ROOMS, example_path
from fdnlearn.options import MAX_LINES
from fdnlearn_audition.bench import Bench
from fdnlearn_audition.fit_process import FitRequest
from fdnlearn_audition.fits import Fit, Fits
from fdnlearn_audition.limits import VisitorLimits
from fdnlearn_audition.messages import Refused, shown_name
from fdnlearn_audition.options import FitOptions
from fdnlearn_audition.responses import RATES_HZ
from fdnlearn_audition.results import FILES
from fdnlearn_audition.sessions import Session, Sessions, Take, Upload

#: Key of a take that was not fitted here, and the folder of one that everybody finds.
OPENED = "opened"
_SWEEP_S = 20.0
#: How often a visitor's page looks at its fit; frames come at half that pace.
_LOOK_S = 0.2


class ListeningRoom:
    """Sessions, fits and helpers under one roof.

    Parameters
    ----------
    limits : VisitorLimits
    opened : Path, optional
        Folder of results, or a network alone, that every visitor finds opened.
    """

    def __init__(self, limits: VisitorLimits, opened: Path | None = None) -> None:
        self.limits = limits
        self.sessions = Sessions(limits)
        self.fits = Fits(limits)
        self.bench = Bench(limits)
        self._opened = opened
        self._fit_of: dict[str, Fit] = {}
        self._ended = threading.Event()
        self._targets: list[dict[str, str]] = []
        self._opened_view: dict[str, Any] = {}

    def begin(self) -> None:
        """Warm up, and start looking for visitors who have gone without a word.

        Raises
        ------
        Refused
            If the opened results are none.
        """
        if self._opened is not None:
            place = self.sessions.root / OPENED
            place.mkdir()
            whole = self._opened.is_dir()
            for name in FILES if whole else FILES[:1]:
                source = self._opened / name if whole else self._opened
                if source.is_file():
                    shutil.copyfile(source, place / name)
            self._opened_view = self.bench.run("fdnlearn_audition.results:view", str(place))
        self.bench.warm()
        self.fits.warm()
        threading.Thread(target=self._sweep, daemon=True).start()

    def end(self) -> None:
        """Everybody out."""
        self._ended.set()
        self.fits.end()
        self.bench.end()
        self.sessions.end()

    # Coming and going

    def enter(self, session_hash: str) -> dict[str, Any]:
        """Open a session and say what there is to choose from."""
        session = self.sessions.open(session_hash)
        if self._opened is not None and not session.takes:
            place = session.place(OPENED)
            shutil.copytree(self.sessions.root / OPENED, place, dirs_exist_ok=True)
            self._keep(session, place, OPENED, self._opened_view)
        return {
            "token": session.token,
            "examples": list(ROOMS),
            "dry": list(DRY_CLIPS),
            "models": {name: model.about for name, model in registry.MODELS.items()},
            "usual": {name: model.usual() for name, model in registry.MODELS.items()},
            "default_model": registry.DEFAULT_MODEL,
            "methods": list(registry.METHODS),
            "rates": list(RATES_HZ),
            "max_lines": MAX_LINES,
            "max_iterations": self.limits.iterations,
            "upload_mb": self.limits.upload_bytes >> 20,
            "suffixes": list(SUFFIXES),
            "formats": NAMES,
            "takes": [self.shown(take) for take in session.takes.values()],
        }

    def leave(self, session_hash: str) -> None:
        """A page has been closed: its fit ends, its files go."""
        session = self.sessions.close(session_hash)
        if session is not None:
            fit = self._fit_of.pop(session.token, None)
            if fit is not None:
                fit.cancel()
                # What a dying process may still have written.
                shutil.rmtree(session.folder, ignore_errors=True)

    def _sweep(self) -> None:
        while not self._ended.wait(_SWEEP_S):
            for session_hash in self.sessions.idle():
                self.leave(session_hash)

    # Recordings

    def take_in(self, session: Session, path: Path, name: str, channel: int = 1) -> dict[str, Any]:
        """Check a recording that lies in the session's folder and describe it.

        Raises
        ------
        Refused
            If it is no impulse response; the one before it stays.
        """
        shown = shown_name(name)
        told = self.bench.run("fdnlearn_audition.describing:describe", str(path), channel, subject=shown)
        session.recording = Upload(shown, path, int(told["channels"]))
        return {"name": shown, **told}

    def example(self, session: Session, name: str) -> dict[str, Any]:
        """One of the project's own rooms."""
        if name not in ROOMS:
            raise Refused("There is no such example; choose one of those shown")
        return self.take_in(session, example_path(name), f"{name}.wav")

    def channel(self, session: Session, channel: int) -> dict[str, Any]:
        """The same recording, another channel."""
        recording = self._recording(session)
        if not 1 <= channel <= recording.channels:
            raise Refused(f"channel {channel} is out of range; choose from 1 to {recording.channels}")
        return self.take_in(session, recording.path, recording.name, channel)

    # Fits

    def start(self, session: Session, given: Mapping[str, Any]) -> Fit:
        """Put a fit of the session's recording into the queue.

        Raises
        ------
        Refused
        """
        recording = self._recording(session)
        options = FitOptions.read(given, self.limits, recording.channels)
        request = FitRequest(
            recording=str(recording.path),
            name=recording.name,
            folder=str(session.place("fit")),
            model=options.model,
            settings=options.settings(self.limits),
            channel=options.channel,
            stereo=options.stereo,
        )
        return self._submit(session, request)

    def resume(self, session: Session) -> Fit:
        """Go on with the session's last fit, which had been stopped.

        Raises
        ------
        Refused
        """
        fit = self._fit_of.get(session.token)
        if fit is None or not fit.over or not (Path(fit.request.folder) / "checkpoint.safetensors").is_file():
            raise Refused("There is no stopped fit to resume; start one")
        return self._submit(session, replace(fit.request, resume=True))

    def _submit(self, session: Session, request: FitRequest) -> Fit:
        before = self._fit_of.get(session.token)
        if before is not None and not before.over:
            raise Refused("A fit is under way here; stop it first")
        fit = self.fits.submit(request)
        self._fit_of[session.token] = fit
        return fit

    def stop(self, session: Session) -> bool:
        """Ask the session's fit to keep its best so far; whether there was one."""
        fit = self._fit_of.get(session.token)
        if fit is None or fit.over:
            return False
        fit.stop()
        return True

    async def follow(self, session: Session, fit: Fit) -> AsyncIterator[dict[str, Any]]:
        """News of a fit until it is over; the last has its take."""
        seen: tuple[int, int] | None = None
        while True:
            news = fit.snapshot()
            place = self.fits.place(fit)
            if session.closed:
                return
            if (news["version"], place) != seen:
                seen = (news["version"], place)
                if news["state"] == "done":
                    take = self._keep(session, Path(fit.request.folder), None, news.pop("take"))
                    resumable = (take.folder / "checkpoint.safetensors").is_file()
                    yield news | {"place": 0, "shown": self.shown(take), "resumable": resumable}
                    return
                yield news | {"place": place}
                if fit.over:
                    return
            await asyncio.sleep(_LOOK_S)

    def _keep(self, session: Session, folder: Path, key: str | None, view: dict[str, Any]) -> Take:
        key = key or f"{view['method']}-{view['model']}"
        for other in list(session.takes.values()):
            # Takes are heard side by side: all are of one room.
            if other.key == key or other.view["room_id"] != view["room_id"]:
                del session.takes[other.key]
                if other.folder != folder:
                    shutil.rmtree(other.folder, ignore_errors=True)
        # A network that was fitted on is another one now: what was rendered of it is old.
        for stale in folder.glob("network-*.wav"):
            stale.unlink(missing_ok=True)
        shutil.rmtree(folder / "export", ignore_errors=True)
        take = Take(key, folder, view)
        session.takes[key] = take
        while len(session.takes) > self.limits.takes:
            oldest = session.takes.pop(next(iter(session.takes)))
            shutil.rmtree(oldest.folder, ignore_errors=True)
        return take

    def shown(self, take: Take) -> dict[str, Any]:
        """A take as the page knows it."""
        return {"key": take.key, **take.view}

    def open_results(self, session: Session, folder: Path) -> dict[str, Any]:
        """Show a folder of results that lies in the session's own folder.

        Raises
        ------
        Refused
            If it holds no valid network.
        """
        try:
            view = self.bench.run("fdnlearn_audition.results:view", str(folder))
        except Refused:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        return self.shown(self._keep(session, folder, OPENED, view))

    # Sound and files

    def targets(self) -> list[dict[str, str]]:
        """What a network can be exported to."""
        if not self._targets:
            self._targets = self.bench.run("fdnlearn_audition.takeaway:targets")
        return self._targets

    def response(self, session: Session, key: str, of: str, rate: int) -> Path:
        """A WAV of a take's room or network."""
        if rate not in RATES_HZ or of not in ("room", "network"):
            raise Refused(f"{rate} Hz is not offered; choose one of {', '.join(map(str, RATES_HZ))}")
        take = session.take(key)
        if of == "room" and not take.view["has_room"]:
            raise Refused("These results hold no recording of the room")
        return Path(self.bench.run(f"fdnlearn_audition.responses:{of}", str(take.folder), rate))

    def dry(self, session: Session, name: str, rate: int) -> Path:
        """One of the project's own dry clips at a rate."""
        if name not in DRY_CLIPS or rate not in RATES_HZ:
            raise Refused("There is no such clip; choose one of those shown")
        path = str(example_path(name))
        return Path(self.bench.run("fdnlearn_audition.responses:dry", path, str(session.folder), rate))

    def network(self, session: Session, key: str, rate: int, decay: float, size: float) -> dict[str, Any]:
        """A take's network for the page to run."""
        if rate not in RATES_HZ or not (0.2 <= decay <= 4.0 and 0.25 <= size <= 4.0):
            raise Refused("decay goes from 0.2 to 4, size from 0.25 to 4")
        take = session.take(key)
        told: dict[str, Any] = self.bench.run(
            "fdnlearn_audition.tweaking:network", str(take.folder), rate, decay, size
        )
        return told

    def export(
        self, session: Session, key: str, names: list[str], rate: int | None
    ) -> tuple[Take, list[dict[str, Any]]]:
        """Export a take to some targets."""
        unknown = [name for name in names if name not in registry.TARGETS]
        if unknown or not names:
            raise Refused(f"Choose export targets among {', '.join(registry.TARGETS)}")
        if rate is not None and not 4000 <= rate <= 192_000:
            raise Refused("The sample rate goes from 4000 to 192000 Hz")
        take = session.take(key)
        rows = self.bench.run(
            "fdnlearn_audition.takeaway:export", str(take.folder), names, self._stem(take), rate
        )
        return take, rows

    def bundle(self, session: Session, key: str, rate: int | None) -> Path:
        """Everything about a take in one archive."""
        take = session.take(key)
        task = "fdnlearn_audition.takeaway:bundle"
        return Path(self.bench.run(task, str(take.folder), list(registry.TARGETS), self._stem(take), rate))

    @staticmethod
    def _stem(take: Take) -> str:
        room = take.view["room"].rsplit(".", 1)[0] or "room"
        return "".join(c if c.isascii() and (c.isalnum() or c == "_") else "_" for c in room)[:40]

    @staticmethod
    def _recording(session: Session) -> Upload:
        if session.recording is None:
            raise Refused("There is no recording yet; upload one or choose an example")
        return session.recording
