"""A fit that is stopped or killed, its checkpoint, and how it goes on."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pytest
from brief_fits import BRIEF, RATE_HZ, check_valid, stop_after
from targets import target_of

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import FloatArray
from fdnlearn.fdn import dumps_fdn
from fdnlearn.fitting import Checkpointing, Progress, Status, solve
from fdnlearn.rir import Target

pytestmark = [pytest.mark.fit, pytest.mark.last_bits]


@pytest.mark.parametrize(("delays", "patience"), [("integer", None), ("fractional", None), ("integer", 1)])
def test_stopped_anywhere_a_fit_keeps_its_best_and_resumes_to_the_same_bytes(
    target: Target, tmp_path: Path, delays: str, patience: int | None
) -> None:
    config = BRIEF.with_settings(delays=delays, patience=patience)
    unbroken = solve(target, config)
    assert (unbroken.iterations < unbroken.history[-1].total_iterations) == (patience is not None)
    for iteration in range(1, unbroken.iterations + 1):
        path = tmp_path / f"{iteration}.safetensors"
        stopped = solve(target, config, stop_after(iteration), Checkpointing(path))
        assert stopped.status is Status.INTERRUPTED
        assert stopped.iterations == len(stopped.history) == iteration
        if delays == "integer":
            check_valid(stopped, lines=4)
        resumed = solve(target, config, checkpointing=Checkpointing(path, resume=True))
        assert resumed.status is Status.COMPLETED
        assert dumps_fdn(resumed.fdn) == dumps_fdn(unbroken.fdn), iteration
        assert (resumed.loss, resumed.iterations) == (unbroken.loss, unbroken.iterations)
        assert [p.loss for p in resumed.history] == [p.loss for p in unbroken.history]
        assert resumed.history[-1].seconds >= stopped.history[-1].seconds


def test_a_killed_fit_resumes_from_its_last_checkpoint(target: Target, tmp_path: Path) -> None:
    checkpointing = Checkpointing(tmp_path / "checkpoint.safetensors", every_s=0.0)

    def kill(progress: Progress) -> bool:
        if progress.iteration == 7:
            raise KeyboardInterrupt
        return False

    with pytest.raises(KeyboardInterrupt):
        solve(target, BRIEF, kill, checkpointing)
    told: list[int] = []
    resumed = solve(
        target,
        BRIEF,
        lambda progress: told.append(progress.iteration) is not None,
        dataclasses.replace(checkpointing, resume=True),
    )
    assert told[0] > 1
    assert dumps_fdn(resumed.fdn) == dumps_fdn(solve(target, BRIEF).fdn)


def test_resuming_without_a_checkpoint_starts_from_the_beginning(target: Target, tmp_path: Path) -> None:
    path = tmp_path / "checkpoint.safetensors"
    result = solve(target, BRIEF, checkpointing=Checkpointing(path, resume=True))
    assert dumps_fdn(result.fdn) == dumps_fdn(solve(target, BRIEF).fdn)


@pytest.mark.parametrize(
    "damage",
    [
        lambda whole: b"",
        lambda whole: whole[: len(whole) // 2],
        lambda whole: whole[:-1],
        lambda whole: b"RIFF" + whole[4:],
        lambda whole: b"\xff" * 8 + whole[8:],
        lambda whole: whole.replace(b"fdnlearn.checkpoint", b"somebody.elses.file"),
        lambda whole: whole.replace(b'"state"', b'"stage"'),
        lambda whole: whole[:-64] + b"\xff" * 64,
    ],
    ids=[
        "empty",
        "half",
        "cut short",
        "no header",
        "huge header",
        "other format",
        "no state",
        "not a number",
    ],
)
def test_a_damaged_checkpoint_is_refused(
    target: Target, tmp_path: Path, damage: Callable[[bytes], bytes]
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    solve(target, BRIEF, stop_after(3), Checkpointing(path))
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(FdnlearnError, match=r"checkpoint\.safetensors: .*--force"):
        solve(target, BRIEF, checkpointing=Checkpointing(path, resume=True))


def test_a_checkpoint_of_another_fit_is_refused(
    target: Target, make_room: Callable[..., FloatArray], tmp_path: Path
) -> None:
    path = tmp_path / "checkpoint.safetensors"
    solve(target, BRIEF, stop_after(3), Checkpointing(path))
    resume = Checkpointing(path, resume=True)
    for name, value in {
        "seed": 1,
        "lines": 5,
        "iterations": 7,
        "delays": "fractional",
        "restarts": 3,
    }.items():
        named = rf"other settings \({name} {BRIEF.settings()[name]} instead of {value}\)"
        with pytest.raises(FdnlearnError, match=named):
            solve(target, BRIEF.with_settings(**{name: value}), checkpointing=resume)
    with pytest.raises(FdnlearnError, match=r"other settings \(stereo None instead of True\)"):
        solve(target, BRIEF, checkpointing=dataclasses.replace(resume, more={"stereo": True}))
    other = make_room(sample_rate_hz=RATE_HZ, seconds=0.3, reverberation_time_s=0.2, seed=2)
    with pytest.raises(FdnlearnError, match="another recording"):
        solve(target_of(other, RATE_HZ), BRIEF, checkpointing=resume)
