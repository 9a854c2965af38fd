"""A failure for programs, as JSON, and for people: which word was meant, which numbers are possible."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from command_line import run

from fdnlearn.cli.failures import failure_of

#: Command lines that are refused before anything is read or fitted.
REFUSED = (
    ["fit", "none.wav"],
    ["fit"],
    ["fit", "none.wav", "--lines", "0"],
    ["fit", "none.wav", "--nonsense"],
    ["batch", "none.wav"],
    ["analyze", "none.wav"],
    ["compare", "none.wav"],
    ["compare", "none.wav", "--methods", "magic"],
    ["render", "none.json", "dry.wav", "-o", "wet.wav"],
    ["export", "none.json", "--to", "wav", "-o", "out"],
    ["export", "--to", "wav"],
    ["schema", "nothing"],
    ["play"],
)


@pytest.fixture(autouse=True)
def inside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("arguments", REFUSED, ids=" ".join)
def test_a_failure_is_json_where_that_was_asked_for(arguments: list[str]) -> None:
    plain, outcome = run(*arguments), run(*arguments, "--json")
    assert outcome.code == plain.code != 0
    assert outcome.stderr == plain.stderr
    assert plain.stdout == ""
    failure = json.loads(outcome.stdout)["failure"]
    assert set(failure) == {"subject", "problem", "remedy", "exit_code"}
    assert failure["exit_code"] == outcome.code
    line = " ".join(f"fdnlearn: {failure['subject']}: {failure['problem']}; {failure['remedy']}".split())
    assert outcome.stderr == f"{line}\n"


def test_whatever_goes_wrong_has_words() -> None:
    assert failure_of(KeyboardInterrupt()).exit_code == 130
    assert failure_of(KeyboardInterrupt()).line == "interrupted; nothing was written"
    assert failure_of(OSError(28, "No space left on device", "x")).subject == "x"
    assert "internal error" in failure_of(ZeroDivisionError("a\nb")).line


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["fti", "room.wav"], "fti: no such command; did you mean fit?"),
        (["analyse", "room.wav"], "analyse: no such command; did you mean analyze?"),
        (["fit", "room.wav", "--itrations", "3"], "--itrations: no such option; did you mean --iterations?"),
        (["fit", "room.wav", "--model", "bandet"], "--model: 'bandet' is unknown; did you mean banded?"),
        (["fit", "room.wav", "--method", "cmeas"], "--method: 'cmeas' is unknown; did you mean cmaes?"),
        (
            ["fit", "room.wav", "--model", "xyz"],
            "--model: 'xyz' is unknown; choose among homogeneous, banded",
        ),
        (["compare", "room.wav", "--methods", "gradent"], "did you mean gradient?"),
        (["export", "fdn.json", "--to", "vst9", "-o", "out"], "did you mean vst3?"),
    ],
)
def test_a_misspelt_word_is_answered_with_the_one_that_was_meant(arguments: list[str], said: str) -> None:
    outcome = run(*arguments)
    assert outcome.code == 2
    assert said in outcome.complaint


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["--lines", "abc"], "--lines: abc is not a whole number from 1 to "),
        (["--iterations", "0"], "--iterations: 0 is not a whole number from 1 to "),
        (["--iterations", "2.5"], "--iterations: 2.5 is not a whole number from 1 to "),
        (["--budget", "0"], "--budget: 0 is not a number above 0 and up to 1e+09"),
        (["--budget", "nan"], "--budget: nan is not a number above 0 and up to 1e+09"),
    ],
)
def test_a_range_is_told_in_words(arguments: list[str], said: str) -> None:
    outcome = run("fit", "room.wav", *arguments)
    assert outcome.code == 2
    assert said in outcome.complaint
