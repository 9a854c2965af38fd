"""Options and parameter types that commands share."""

from __future__ import annotations

import math
import sys
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from fdnlearn.base.errors import FdnlearnError, UsageError, suggest
from fdnlearn.options import MAX_LINES, MAX_RATE_HZ, MIN_RATE_HZ

if TYPE_CHECKING:
    from rich.table import Table

Command = TypeVar("Command", bound=Callable[..., Any])

DEBUG, JSON = "--debug", "--json"
#: Key in `click.Context.meta`: the JSON document has been printed.
PRINTED = "fdnlearn.printed"
#: Key in `click.Context.meta`: the configuration file that filled in defaults.
DEFAULTS_FILE = "fdnlearn.defaults_file"


class NumberType(click.ParamType):  # type: ignore[type-arg]
    """A finite number between two bounds; `above` excludes the lower one.

    click's own range lets NaN pass.
    """

    name = "number"

    def __init__(self, least: float, most: float, *, above: bool = False) -> None:
        self.least, self.most, self.above = least, most, above

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        """Parse, and refuse what is out of range."""
        try:
            number = float(value)
        except ValueError:
            self.fail(f"{value!r} is not a number", param, ctx)
        inside = self.least < number <= self.most if self.above else self.least <= number <= self.most
        if not math.isfinite(number) or not inside:
            least = f"above {self.least:g} and up" if self.above else f"from {self.least:g}"
            self.fail(f"{value} is not a number {least} to {self.most:g}", param, ctx)
        return number


class WholeNumber(click.IntRange):
    """A whole number between two bounds, refused in words."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Parse, and refuse what is out of range."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            self.fail(f"{value} is not a whole number from {self.min} to {self.max}", param, ctx)


class Word(click.Choice[str]):
    """One of several words; of a misspelt one it says which was meant."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Take the word, or refuse it."""
        try:
            return super().convert(value, param, ctx)
        except click.BadParameter:
            remedy = suggest(str(value), self.choices, f"choose among {', '.join(self.choices)}")
            raise WrongWordError(f"{value!r} is unknown", remedy, ctx, param) from None


class WrongWordError(click.BadParameter):
    """A word that is none of those known, with its remedy."""

    def __init__(
        self, message: str, remedy: str, ctx: click.Context | None, param: click.Parameter | None
    ) -> None:
        super().__init__(message, ctx, param)
        self.remedy = remedy


class ChannelType(click.ParamType):  # type: ignore[type-arg]
    """A channel number from 1, or ``all``."""

    name = "channel"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int | str:
        """Parse, and refuse what cannot be a channel of any file."""
        if value == "all":
            return "all"
        try:
            number = int(value)
        except ValueError:
            self.fail(f"{value!r} is neither a channel number nor 'all'", param, ctx)
        if number < 1:
            self.fail(f"{number} is not a channel: they count from 1", param, ctx)
        return number


def number_option(
    flag: str, name: str, metavar: str, bounds: NumberType, help_text: str, **settings: Any
) -> Callable[[Command], Command]:
    """Add ``FLAG METAVAR``, a number within bounds, with the `settings` of `click.option` that differ."""
    return click.option(flag, name, metavar=metavar, type=bounds, help=help_text, **settings)


def count_option(
    flag: str, most: int, help_text: str, *, metavar: str = "K", **settings: Any
) -> Callable[[Command], Command]:
    """Add ``FLAG K``, a whole number from 1, with the `settings` of `click.option` that differ."""
    return click.option(flag, metavar=metavar, type=WholeNumber(1, most), help=help_text, **settings)


def choice_option(
    flag: str, choices: Iterable[str], default: str, help_text: str
) -> Callable[[Command], Command]:
    """Add ``FLAG``, one of several words, which shows what it is by default."""
    return click.option(flag, type=Word(list(choices)), default=default, show_default=True, help=help_text)


def folder_option(default: str) -> Callable[[Command], Command]:
    """Add ``-o DIR``, which the results go to."""
    return click.option(
        "-o", "folder", metavar="DIR", default=default, show_default=True, help="Where the results go."
    )


def lines_option(help_text: str, **settings: Any) -> Callable[[Command], Command]:
    """Add ``--lines N``, with the `settings` of `click.option` that differ."""
    return click.option("--lines", metavar="N", type=WholeNumber(1, MAX_LINES), help=help_text, **settings)


def sample_rate_option(help_text: str, **settings: Any) -> Callable[[Command], Command]:
    """Add ``--sample-rate HZ``, with the `settings` of `click.option` that differ."""
    return click.option(
        "--sample-rate",
        "sample_rate_hz",
        metavar="HZ",
        type=WholeNumber(MIN_RATE_HZ, MAX_RATE_HZ),
        help=help_text,
        **settings,
    )


def budget_option(help_text: str, **settings: Any) -> Callable[[Command], Command]:
    """Add ``--budget SECONDS``, with the `settings` of `click.option` that differ."""
    bounds = NumberType(0, 1e9, above=True)
    return number_option("--budget", "budget_s", "SECONDS", bounds, help_text, **settings)


def every_command(command: Command) -> Command:
    """Add the options that every command has."""
    command = click.option(
        DEBUG, is_flag=True, expose_value=False, help="Show tracebacks and warnings of libraries."
    )(command)
    return click.option(JSON, "as_json", is_flag=True, help="Print one JSON document to stdout.")(command)


def config_option(command: Command) -> Command:
    """Add ``--config FILE.toml``, whose values stand in for flags that are not given."""
    return click.option(
        "--config",
        metavar="FILE.toml",
        is_eager=True,
        expose_value=False,
        callback=_read_config,
        help="Take options from a TOML file (lines = 8); flags override it.",
    )(command)


def _read_config(ctx: click.Context, param: click.Parameter, value: str | None) -> None:
    if value is None:
        return
    try:
        document = tomllib.loads(Path(value).read_text(encoding="utf-8"))
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise FdnlearnError(value, f"cannot be read ({reason})", "give a TOML file with --config") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise FdnlearnError(value, f"is not TOML ({error})", "write lines like: lines = 8") from error
    # Keys are the flags' names; -o has none, and no place in a file that many fits share.
    names = {
        option.opts[0].removeprefix("--"): option.name
        for option in ctx.command.get_params(ctx)
        if isinstance(option, click.Option) and option.expose_value and option.opts[0].startswith("--")
    }
    defaults: dict[str, Any] = {}
    for key, setting in document.items():
        name = names.get(key.replace("_", "-"))
        if name is None:
            remedy = suggest(key, names, f"known are {', '.join(sorted(names))}")
            raise UsageError(value, f"unknown key {key!r}", remedy)
        if isinstance(setting, dict | list):
            raise UsageError(value, f"{key} is not a single value", f"write {key} = VALUE")
        # As text, so that 6.5 lines or a true seed are refused as they are on the command line.
        defaults[name] = setting if isinstance(setting, str) else str(setting).lower()
    ctx.default_map = defaults
    ctx.meta[DEFAULTS_FILE] = value


def was_given(name: str) -> bool:
    """Whether the user has set a parameter of the running command, as a flag or in a file."""
    source = click.get_current_context().get_parameter_source(name)
    return source in (click.core.ParameterSource.COMMANDLINE, click.core.ParameterSource.DEFAULT_MAP)


def duration(seconds: float) -> str:
    """Hours, minutes and seconds."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"


def say(text: str) -> None:
    """Print a line to stdout, in its encoding: left to itself click takes another one than that asked for."""
    click.echo(text, file=sys.stdout)


def print_table(table: Table) -> None:
    """Print a table to stdout, its lines in characters that are there."""
    from rich.console import Console

    Console(file=sys.stdout).print(table)


def print_json(document: Any) -> None:
    """Print one JSON document to stdout."""
    import json

    say(json.dumps(document, indent=2, allow_nan=False))
    if context := click.get_current_context(silent=True):
        context.meta[PRINTED] = True


def warn(subject: str, *sentences: str) -> None:
    """Say what a user should know, on stderr."""
    for sentence in sentences:
        click.echo(f"fdnlearn: warning: {subject}: {' '.join(sentence.split())}", err=True)
