"""What may be asked of a model and of a method: one frozen dataclass each, importable without NumPy or torch.

A field says all there is to say about a setting: its default, its range, how a command line offers it, and what it
means to ask it of a model or method that has it not. A new setting is one field here and what reads it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from fdnlearn.base.errors import UsageError

#: Number of lines, or of iterations, that stands for as many as the room asks for.
AUTO = 0
#: Stands for what the model usually has; a `FitConfig` puts that in its place.
USUAL = -1

#: Largest network that a fit accepts; the cost of a step grows with its cube.
MAX_LINES = 64
#: Range of sample rates that audio files have.
MIN_RATE_HZ, MAX_RATE_HZ = 4000, 768_000

#: Where the training runs.
DEVICES = ("auto", "cpu", "cuda")
#: What stands in front of a banded network's late part.
EARLY = ("none", "sparse", "measured")
#: How many reverberation times a band of a banded network has: as many as the recording shows, or so many.
SLOPES = ("auto", "1", "2")
#: Where a banded network's reverberation times are parameters.
KNOTS = ("octave", "third-octave")
#: How a fit's delays end.
DELAYS = ("integer", "fractional")


@dataclass(frozen=True)
class Absence:
    """What it means to ask a setting of a model or method that has it not.

    Attributes
    ----------
    harmless : tuple or None
        Values that change nothing, None apart; a None in place of the tuple lets every value pass.
    subject, problem, remedy : str
        Of the `UsageError` for others; ``{value}`` and ``{name}``, of the model or method, are filled in.
    stands_for : object
        What flat settings hold in its place.
    """

    harmless: tuple[Any, ...] | None = ()
    subject: str = ""
    problem: str = ""
    remedy: str = ""
    stands_for: Any = None

    def check(self, value: Any, name: str) -> None:
        """Refuse a value that would have to change something.

        Raises
        ------
        UsageError
        """
        if self.harmless is None or value is None or value in self.harmless:
            return
        raise UsageError(
            self.subject.format(value=value, name=name), self.problem.format(name=name), self.remedy
        )


@dataclass(frozen=True)
class Option:
    """A setting as a user sees it.

    Attributes
    ----------
    flag : str
        On a command line; empty for what only Python offers.
    help : str
    metavar : str
    choices : tuple of str
        Empty for a number.
    least, most : float
        Range of a number.
    whole : bool
        Whether the number is an integer; others have to be above `least`.
    auto, none : str
        What to say where `AUTO` or None is the default.
    absence : Absence
    """

    flag: str = ""
    help: str = ""
    metavar: str = ""
    choices: tuple[str, ...] = ()
    least: float = 0
    most: float = 0
    whole: bool = True
    auto: str = ""
    none: str = ""
    absence: Absence = dataclasses.field(default_factory=Absence)


def option(default: Any, flag: str = "", help_text: str = "", **more: Any) -> Any:
    """A dataclass field that is a setting; see `Option` for `more`."""
    return field(default=default, metadata={"option": Option(flag, help_text, **more)})


def options_of(of: Any) -> dict[str, Option]:
    """The settings of a dataclass of them, by name."""
    return {one.name: one.metadata["option"] for one in dataclasses.fields(of) if "option" in one.metadata}


def check_choices(of: Any) -> None:
    """See that every setting with choices has one of them.

    Raises
    ------
    UsageError
        Naming the first that has not.
    """
    for name, about in options_of(of).items():
        value = getattr(of, name)
        if about.choices and value not in about.choices:
            raise UsageError(f"{about.flag} {value}", "unknown", f"choose one of {', '.join(about.choices)}")


@dataclass(frozen=True, kw_only=True)
class Options:
    """Settings that belong to a model or a method."""

    #: As a user names the model or method.
    name: ClassVar[str]

    def __post_init__(self) -> None:
        check_choices(self)

    def settings(self) -> Mapping[str, Any]:
        """By their names."""
        return {one.name: getattr(self, one.name) for one in dataclasses.fields(self)}


def _not_banded(option_name: str, problem: str, *harmless: str) -> Absence:
    return Absence(
        harmless, f"{option_name} {{value}}", f"the {{name}} model {problem}", "use --model banded"
    )


#: What every method is given, though not every one can use it.
_IGNORED = Absence(harmless=None)


@dataclass(frozen=True, kw_only=True)
class ModelOptions(Options):
    """What may be asked of a model.

    Attributes
    ----------
    lines : int
        Number of delay lines; `AUTO` for as many as the room asks for.
    """

    lines: int = option(
        AUTO,
        "--lines",
        "Number of delay lines.",
        metavar="N",
        least=1,
        most=MAX_LINES,
        auto="16, more for a long reverberation",
    )


@dataclass(frozen=True, kw_only=True)
class Homogeneous(ModelOptions):
    """The paper's model (Mezza et al., EURASIP JASMP 2024:51); six lines are its choice."""

    name: ClassVar[str] = "homogeneous"

    lines: int = option(6, "--lines", "Number of delay lines.", metavar="N", least=1, most=MAX_LINES)


@dataclass(frozen=True, kw_only=True)
class Banded(ModelOptions):
    """The model of a real room.

    Attributes
    ----------
    early : str
        One of `EARLY`.
    slopes : str
        One of `SLOPES`.
    knots : str
        One of `KNOTS`.
    """

    name: ClassVar[str] = "banded"

    early: str = option(
        "sparse",
        "--early",
        "Early part of a banded network: taps that are learned, or the recording's own.",
        choices=EARLY,
        absence=_not_banded("--early", "has no early part", "none"),
    )
    slopes: str = option(
        "auto",
        "--slopes",
        "Reverberation times per band of a banded network; two for coupled rooms.",
        choices=SLOPES,
        absence=_not_banded("--slopes", "has a decay of its own for every line already", "auto"),
    )
    knots: str = option(
        "octave",
        "--knots",
        "Where a banded network's reverberation times are parameters.",
        choices=KNOTS,
        absence=_not_banded("--knots", "has no reverberation times per band"),
    )


@dataclass(frozen=True, kw_only=True)
class MethodOptions(Options):
    """What may be asked of a method."""


@dataclass(frozen=True, kw_only=True)
class Iterative(MethodOptions):
    """What may be asked of a method that goes on for as long as it is let.

    Attributes
    ----------
    iterations : int
        Length of the long descent that ends a gradient fit, the stages before it scale with it; of a search the number
        of generations, all phases together. `AUTO` for as many as the room's length allows, `USUAL` for as many as the
        model usually takes.
    """

    iterations: int = option(
        USUAL,
        "--iterations",
        "Length of the long descent, the stages before it take up to 3/4 more; or generations.",
        metavar="N",
        least=1,
        most=1_000_000,
        auto="300 to 600, by the room",
        absence=_IGNORED,
    )


@dataclass(frozen=True, kw_only=True)
class FromStarts(Iterative):
    """What may be asked of a method that begins at random networks.

    Attributes
    ----------
    restarts : int
        How many; `USUAL` for as many as the model usually has.
    """

    restarts: int = option(
        USUAL,
        "--restarts",
        "Short starts that compete before the long descent.",
        metavar="K",
        least=1,
        most=1024,
        absence=_IGNORED,
    )


@dataclass(frozen=True, kw_only=True)
class Gradient(FromStarts):
    """Gradient descent.

    Attributes
    ----------
    patience : int or None
        A stage ends when the mean loss of as many steps is not below that of those before, for every room on its own.
    learn_delays : bool
        False, an ablation: the delays stay where they start.
    loss_terms : tuple of str or None
        The terms of the loss that count, an ablation; None for all that the model has.
    """

    name: ClassVar[str] = "gradient"

    patience: int | None = option(
        None,
        "--patience",
        "End a stage of the gradient fit early if N steps brought no progress.",
        metavar="N",
        least=1,
        most=1_000_000,
        none="never",
        absence=Absence((), "--patience", "means nothing to {name}", "leave it out or use gradient"),
    )
    learn_delays: bool = option(
        True,
        absence=Absence(
            (True,),
            "--method {name}",
            "always searches delays",
            "freeze them with gradient only",
            stands_for=True,
        ),
    )
    loss_terms: tuple[str, ...] | None = option(
        None,
        absence=Absence(
            (), "--method {name}", "always has its whole loss", "choose terms of it with gradient only"
        ),
    )


@dataclass(frozen=True, kw_only=True)
class Genetic(FromStarts):
    """A genetic algorithm."""

    name: ClassVar[str] = "genetic"


@dataclass(frozen=True, kw_only=True)
class Cmaes(FromStarts):
    """CMA-ES."""

    name: ClassVar[str] = "cmaes"


@dataclass(frozen=True, kw_only=True)
class Analytic(MethodOptions):
    """A design in closed form, which has nothing to choose."""

    name: ClassVar[str] = "analytic"


@dataclass(frozen=True, kw_only=True)
class Classic(Iterative):
    """The genetic design of 2016: 16 lines, whatever the model's options say, and whole delays."""

    name: ClassVar[str] = "classic"
