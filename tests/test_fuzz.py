"""What fuzzing once found stays mended, and a few inputs of each kind are tried in every run: always the same ones."""

from __future__ import annotations

import gc
import warnings
from collections.abc import Generator

import pytest
from fuzz.cases import Fuzzer
from fuzz.kinds import KINDS, kind_of

pytestmark = [
    pytest.mark.long,
    pytest.mark.fit,
    # Gradio and its client make event loops that they leave to the collector.
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]

SEED = 0
#: Inputs of each kind, besides its seeds and its corpus: a few seconds.
COUNTS = {"recordings": 150, "networks": 60, "commands": 60, "manifests": 8, "page": 100}


@pytest.fixture(scope="module", params=KINDS)
def fuzzer(request: pytest.FixtureRequest) -> Generator[Fuzzer, None, None]:
    kind = kind_of(request.param)
    with kind.world():
        yield Fuzzer(kind, SEED)
    with warnings.catch_warnings():  # what is left of them goes now, not during somebody else's test
        warnings.simplefilter("ignore", ResourceWarning)
        gc.collect()


def test_every_input_gets_a_right_answer_or_one_clear_line(fuzzer: Fuzzer) -> None:
    cases = [*fuzzer.known, *(fuzzer.case(number) for number in range(COUNTS[fuzzer.kind.name]))]
    faults = {case.content[:400]: fault for case in cases if (fault := fuzzer.attempt(case))}
    assert faults == {}


def test_a_number_stands_for_one_input(fuzzer: Fuzzer) -> None:
    again = Fuzzer(fuzzer.kind, SEED)
    assert [again.case(number) for number in (7, 3)] == [fuzzer.case(number) for number in (7, 3)]
