"""``python tests/fuzz``: tries inputs for a time and keeps those that show a fault; or tries files again."""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT / "apps" / "audition"), str(ROOT)]


def main() -> int:
    """Run what the command line asks for; 1 if there was a fault."""
    parser = argparse.ArgumentParser(prog="python tests/fuzz", description=__doc__)
    parser.add_argument(
        "files", nargs="*", type=Path, help="try these again, each in a folder named after its kind"
    )
    parser.add_argument("--seconds", type=float, default=600.0, help="all kinds together  [600]")
    parser.add_argument("--seed", type=int, default=0, help="decides what is tried  [0]")
    parser.add_argument("--kinds", help="some of them, separated by commas")
    parser.add_argument("--failures", type=Path, default=Path("fuzz-failures"), help="where faults are kept")
    given = parser.parse_args()
    from fuzz.kinds import KINDS

    chosen = given.kinds.split(",") if given.kinds else list(KINDS)
    if unknown := set(chosen) - set(KINDS):
        parser.error(f"unknown kind {min(unknown)}; choose among {', '.join(KINDS)}")
    if given.files:
        return _again(given.files)
    found = 0
    for name in chosen:
        found += _search(name, given.seed, given.seconds / len(chosen), given.failures / name)
    return int(found > 0)


def _again(files: list[Path]) -> int:
    from fuzz.cases import Case, Fuzzer
    from fuzz.kinds import kind_of

    failed = 0
    for path in map(Path.resolve, files):
        kind = kind_of(path.parent.name)
        with kind.world():
            fault = Fuzzer(kind, 0).attempt(Case(path.read_bytes(), path.suffix))
        failed += bool(fault)
        _say(f"{path}: {fault or 'as it should be'}")
    return int(failed > 0)


def _search(name: str, seed: int, seconds: float, folder: Path) -> int:
    """Try cases of one kind; how many different faults they show."""
    from fuzz.cases import Fuzzer
    from fuzz.kinds import kind_of

    kind, folder = kind_of(name), folder.resolve()
    faults: Counter[str] = Counter()
    with kind.world():
        fuzzer = Fuzzer(kind, seed)
        started, number = time.monotonic(), 0
        while time.monotonic() < started + seconds:
            known = fuzzer.known
            case = known[number] if number < len(known) else fuzzer.case(number - len(known))
            number += 1
            # Kept beforehand: a crash of the process leaves it there.
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / case.name
            path.write_bytes(case.content)
            fault = fuzzer.attempt(case)
            if fault:
                if not faults[fault[:80]]:
                    shown = path.relative_to(os.getcwd()) if path.is_relative_to(os.getcwd()) else path
                    _say(f"{name}: {fault[:600]}\n    python tests/fuzz {shown}")
                faults[fault[:80]] += 1
            if not fault or faults[fault[:80]] > 1:
                path.unlink()
    _say(f"{name}: {number} inputs in {time.monotonic() - started:.0f} s, {len(faults)} faults")
    return len(faults)


def _say(text: str) -> None:
    print(text.encode("ascii", "backslashreplace").decode(), flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
