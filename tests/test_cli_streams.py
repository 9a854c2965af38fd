"""Standard streams that are closed, unread or of an encoding that lacks characters: the work is done all the same."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import QUICK, Outcome, decay, environment, program, record
from fdn_networks import network

from fdnlearn.fdn import save_fdn
from fdnlearn.runs.folder import RESULTS

pytestmark = pytest.mark.process

needs_shell = pytest.mark.skipif(os.name == "nt", reason="shells of POSIX")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What every command can work on."""
    folder = tmp_path_factory.mktemp("inputs")
    record(folder / "rüm 残.wav", decay(seed=1))
    save_fdn(network(2, delays=(100, 300)), folder / "fdn.json")
    return folder


#: Command -> its arguments, with files of `inputs`, and a file that it writes.
COMMANDS = {
    "help": ("--help", None),
    "analyze": ("analyze 'rüm 残.wav'", None),
    "analyze json": ("analyze 'rüm 残.wav' --json", None),
    "schema": ("schema", None),
    "list": ("export --list", None),
    "export": ("export fdn.json --to wav -o {out}", "fdn.wav"),
    "render": ("render fdn.json 'rüm 残.wav' -o {out}.wav", ".wav"),
    "fit": (f"fit 'rüm 残.wav' -o {{out}} {' '.join(QUICK)}", RESULTS[-1]),
    "batch": (f"batch 'rüm 残.wav' -o {{out}} --workers 1 {' '.join(QUICK)}", "overview.html"),
}
FAST = tuple(name for name in COMMANDS if name not in ("fit", "batch"))


def shell(inputs: Path, out: Path, command: str, behind: str, **variables: str) -> Outcome:
    """One command line in a shell; the exit code is that of the command, not of what follows it."""
    arguments = COMMANDS[command][0].format(out=shlex.quote(str(out)))
    line = f"set -o pipefail; {shlex.join(program())} {arguments} {behind}"
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=inputs,
        env={**environment(), **variables},
        capture_output=True,
        timeout=120,
        check=False,
    )
    return Outcome(done.returncode, done.stdout.decode("latin-1"), done.stderr.decode("latin-1"))


def quiet(outcome: Outcome) -> None:
    assert outcome.code == 0, outcome.stderr
    assert "Traceback" not in outcome.stderr
    assert "error" not in outcome.stderr


@needs_shell
@pytest.mark.parametrize(
    "behind", ["| head -c 0", ">&-", "2>&-", ">&- 2>&- <&-"], ids=["no reader", "stdout", "stderr", "all"]
)
@pytest.mark.parametrize("command", [*FAST, pytest.param("fit", marks=pytest.mark.fit)])
def test_nobody_listening_costs_nothing(inputs: Path, tmp_path: Path, command: str, behind: str) -> None:
    outcome = shell(inputs, tmp_path / "out", command, behind)
    quiet(outcome)
    written = COMMANDS[command][1]
    if written is not None:
        assert (tmp_path / "out" / written).is_file() or (tmp_path / f"out{written}").is_file()


@needs_shell
@pytest.mark.fit
def test_a_batch_that_nobody_listens_to_is_summed_up(inputs: Path, tmp_path: Path) -> None:
    for behind in ("| head -c 0", ">&- 2>&-"):
        quiet(shell(inputs, tmp_path / "out", "batch", behind))
        assert (tmp_path / "out" / "overview.html").is_file()


@needs_shell
@pytest.mark.parametrize("command", [*FAST, pytest.param("fit", marks=pytest.mark.fit)])
@pytest.mark.parametrize("encoding", ["cp1252", "ascii", "utf-16"])
def test_a_table_is_in_what_the_encoding_has(
    inputs: Path, tmp_path: Path, command: str, encoding: str
) -> None:
    outcome = shell(inputs, tmp_path / "out", command, "", PYTHONIOENCODING=encoding)
    quiet(outcome)
    text = outcome.stdout.encode("latin-1").decode(encoding)
    if command == "analyze":
        assert "T30, s" in text
        assert text.startswith(
            {"cp1252": "rüm ?.wav", "ascii": "rum ?.wav", "utf-16": "rüm 残.wav"}[encoding]
        )
    if command.endswith("json"):
        assert json.loads(text)["recording"]["name"] == "rüm 残.wav"


@needs_shell
@pytest.mark.parametrize(
    "variables", [{"LC_ALL": "C"}, {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}]
)
def test_the_plainest_locale_will_do(inputs: Path, tmp_path: Path, variables: dict[str, str]) -> None:
    quiet(shell(inputs, tmp_path / "out", "analyze", "", **variables))


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device that is always full")
def test_a_full_disk_behind_stdout_is_a_failure_in_one_line(inputs: Path, tmp_path: Path) -> None:
    outcome = shell(inputs, tmp_path / "out", "analyze json", "> /dev/full")
    assert outcome.code == 1
    assert outcome.complaint.startswith("fdnlearn: <stdout>: No space left on device; ")


@pytest.mark.parametrize(
    ("text", "encoding", "expected"),
    [
        ("0.5 s – 1 s", "ascii", b"0.5 s - 1 s"),
        ("3 × ≤ ² é ﬁ", "ascii", b"3 x <= 2 e fi"),
        ("3 × ≤ ² é", "cp1252", b"3 \xd7 <= \xb2 \xe9"),
        ("残響 🎧", "latin-1", b"?? ?"),
        ("k\udcfcche", "utf-8", b"k\xfcche"),
        ("k\udcfcche \ud800", "ascii", b"k\xfcche ?"),
    ],
)
def test_the_nearest_characters_are_written(text: str, encoding: str, expected: bytes) -> None:
    code = f"from fdnlearn.cli.streams import *; prepare_streams(); print({text!r}, end='')"
    done = subprocess.run(
        [sys.executable, "-c", code],
        env={**environment(), "PYTHONIOENCODING": encoding},
        capture_output=True,
        check=True,
    )
    assert done.stdout == expected
