"""What stands beside the package: the tiers of the tests, checks of texts, the benchmarks' tables."""

from __future__ import annotations

import csv
import subprocess
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[1]


def beside(monkeypatch: pytest.MonkeyPatch, folder: str, name: str) -> ModuleType:
    """A script of a folder that is no package."""
    monkeypatch.syspath_prepend(ROOT / folder)
    return __import__(name)


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_a_test_without_a_marker_must_not_start_a_process() -> None:
    with pytest.raises(pytest.fail.Exception, match="needs a marker"):
        subprocess.run([sys.executable, "-c", ""], check=True)


@pytest.mark.parametrize(
    ("content", "fault"),
    [
        (b"a \nb\n", "blanks at the end of line 1"),
        (b"a\nb\t\n", "blanks at the end of line 2"),
        (b"a", "no newline at the end"),
        (b"a\n\n", "empty lines at the end"),
        (b"a\r\nb\n", "ends of lines as on Windows"),
        (b"<<<<<<< " + b"mine\n", "marks of a merge"),
    ],
)
def test_a_fault_of_a_text_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, content: bytes, fault: str
) -> None:
    check_text = beside(monkeypatch, "tools", "check_text")
    path = tmp_path / "text.md"
    path.write_bytes(content)
    assert fault in list(check_text.faults(path))
    path.write_bytes(b"# Title\n\ntext\n")
    assert list(check_text.faults(path)) == []


def test_a_benchmark_adds_a_line_to_the_history(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    history = beside(monkeypatch, "benchmarks", "history")
    monkeypatch.setattr(history, "_commit", lambda: "abcdef12+")
    path = tmp_path / "history.csv"
    for figure in (1.23456, 20000.0):
        history.append("step N=6", figure, "ms", path=path)
    assert [(row["commit"], row["what"], row["figure"], row["unit"]) for row in rows(path)] == [
        ("abcdef12+", "step N=6", "1.235", "ms"),
        ("abcdef12+", "step N=6", "20000", "ms"),
    ]
    assert list(rows(ROOT / "benchmarks" / "history.csv")[0]) == list(history.FIELDS)


def test_the_comparison_holds_every_room_method_and_quantity(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of every comparison all its rooms, methods and eight quantities; and what a fit took."""
    figures = beside(monkeypatch, "benchmarks", "comparison_figures")
    table = rows(ROOT / "docs" / "comparison.csv")
    assert list(table[0]) == list(figures.FIELDS)
    headings = (ROOT / "docs" / "comparison.md").read_text(encoding="utf-8")
    found = {(row["model"], row["room_set"], row["budget_s"]) for row in table}
    assert len(found) == headings.count("\n### ")
    for model, room_set, budget_s in found:
        words = {"report": "rooms for reporting", "tune": "rooms for tuning"}[room_set]
        assert f"### {model}, {words}, {budget_s} s a fit" in headings
        own = [
            row
            for row in table
            if (row["model"], row["room_set"], row["budget_s"]) == (model, room_set, budget_s)
        ]
        counts = Counter(row["table"] for row in own)
        methods = {row["method"] for row in own if row["table"] == "medians"}
        assert counts["rooms"] == {"report": 10, "tune": 6}[room_set] * len(methods) * (8 + 2)
        assert counts["medians"] == len(methods) * (8 + 2)
        assert counts["pairs"] == (len(methods) - 1) * 8
