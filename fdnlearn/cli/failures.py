"""What went wrong, as one line on stderr and, where JSON was asked for, as one document on stdout."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import click

from fdnlearn.base.errors import FdnlearnError, UsageError, one_line, suggest
from fdnlearn.cli.common import DEBUG, DEFAULTS_FILE
from fdnlearn.cli.interrupt import EXIT_INTERRUPTED, Interruption

EXIT_FAILED = 1
EXIT_USAGE = 2


@dataclass(frozen=True)
class Failure:
    """A failure in words.

    Attributes
    ----------
    subject : str
        File, option or folder that it is about; empty where it is about the command as a whole.
    problem, remedy : str
    exit_code : int
    """

    subject: str
    problem: str
    remedy: str
    exit_code: int

    @property
    def line(self) -> str:
        """All of it in one line."""
        front = f"{self.subject}: " if self.subject else ""
        return one_line(f"{front}{self.problem}; {self.remedy}")

    def to_json(self) -> dict[str, Any]:
        """As plain JSON values; ``failure`` is in no document of a success."""
        return {"failure": asdict(self)}


def failure_of(error: BaseException) -> Failure:
    """Put into words whatever ended a command."""
    match error:
        case KeyboardInterrupt() | click.exceptions.Abort():
            kept = error.kept if isinstance(error, Interruption) else "nothing was written"
            return Failure("", "interrupted", kept, EXIT_INTERRUPTED)
        case click.ClickException():
            return _of_usage(error)
        case FdnlearnError():
            return Failure(error.named, error.problem, error.remedy, error.exit_code)
        case MemoryError():
            remedy = "use fewer --lines, a lower --sample-rate or a shorter file"
            return Failure("memory", "not enough for this", remedy, EXIT_FAILED)
        case OSError():
            problem = error.strerror or str(error) or type(error).__name__
            subject = str(error.filename or "input/output")
            return Failure(subject, problem, "check the file and its disk", EXIT_FAILED)
        case _:
            problem = f"internal error: {type(error).__name__}: {error}"
            return Failure("", problem, f"run again with {DEBUG} and report what it shows", EXIT_FAILED)


def _of_usage(error: click.ClickException) -> Failure:
    """What click found wrong: the option, argument or command, and what was meant."""
    context: click.Context | None = getattr(error, "ctx", None)
    path = context.command_path if context else "fdnlearn"
    help_text = f"see {path} --help"
    message = error.message.rstrip(".")
    if isinstance(error, click.NoSuchOption):
        known = [name for one in context.command.get_params(context) for name in one.opts] if context else []
        remedy = suggest(error.option_name, known, help_text)
        return Failure(error.option_name, "no such option", remedy, EXIT_USAGE)
    if isinstance(error, click.BadOptionUsage):
        problem = message.removeprefix(f"Option {error.option_name!r} ")
        return Failure(error.option_name, problem, help_text, EXIT_USAGE)
    if not isinstance(error, click.BadParameter) or error.param is None:
        return Failure(path, f"{message[:1].lower()}{message[1:]}", help_text, EXIT_USAGE)
    subject = _name(error.param)
    problem = "is missing" if isinstance(error, click.MissingParameter) else message
    remedy = getattr(error, "remedy", "") or help_text
    if context and error.param.name:
        source = context.get_parameter_source(error.param.name)
        if source is click.core.ParameterSource.DEFAULT_MAP:
            return Failure(context.meta[DEFAULTS_FILE], f"{subject}: {problem}", remedy, UsageError.exit_code)
    return Failure(subject, problem, remedy, EXIT_USAGE)


def _name(parameter: click.Parameter) -> str:
    return (
        max(parameter.opts, key=len) if isinstance(parameter, click.Option) else parameter.human_readable_name
    )
