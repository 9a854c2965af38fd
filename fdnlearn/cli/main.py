"""The ``fdnlearn`` command: finds subcommands, and turns every failure into one line and an exit code.

Exit codes: 0 success, 1 refused or failed, 2 wrong usage, 130 interrupted.
"""

from __future__ import annotations

import gc
import importlib
import os
import sys
import traceback
import warnings
from collections.abc import Sequence
from typing import Any, NoReturn

import click

from fdnlearn.base.errors import FdnlearnError, UsageError, one_line
from fdnlearn.base.version import __version__
from fdnlearn.cli.common import DEBUG, DEFAULTS_FILE
from fdnlearn.cli.streams import prepare_streams

#: Subcommands, each ``fdnlearn/cli/NAME.py`` holding ``command``, imported when it is asked for.
COMMANDS = ("fit", "batch", "analyze", "compare", "render", "export", "audition", "schema")

EXIT_FAILED = 1
EXIT_USAGE = 2
EXIT_INTERRUPTED = 130


class Program(click.Group):
    """The group of all subcommands."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names in the order of a session: fit first."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the module of one subcommand."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = importlib.import_module(f"fdnlearn.cli.{cmd_name}").command
        return command

    def main(  # type: ignore[override]
        self, args: Sequence[str] | None = None, prog_name: str | None = None, **extra: Any
    ) -> NoReturn:
        """Run one command line and exit with its code."""
        prog_name = prog_name or "fdnlearn"
        if f"_{prog_name}_COMPLETE".upper() in os.environ:
            super().main(args, prog_name, **extra)
        sys.exit(self._run(list(sys.argv[1:] if args is None else args), prog_name))

    def _run(self, args: list[str], prog_name: str) -> int:
        debug = DEBUG in args
        try:
            with self.make_context(prog_name, args) as context:
                self.invoke(context)
            sys.stdout.flush()
            return 0
        except click.exceptions.Exit as request:
            return request.exit_code
        except click.exceptions.NoArgsIsHelpError as request:
            click.echo(request.ctx.get_help() if request.ctx else "", err=True)
            return EXIT_USAGE
        except BrokenPipeError:  # of click's own texts, some of which go past our streams
            return 0
        except (KeyboardInterrupt, click.exceptions.Abort) as error:
            return _fail("interrupted; nothing was written", EXIT_INTERRUPTED, error, debug)
        except click.ClickException as error:
            return _fail(_usage_line(error), EXIT_USAGE, error, debug)
        except FdnlearnError as error:
            return _fail(str(error), error.exit_code, error, debug)
        except MemoryError as error:
            return _fail(
                "memory: not enough for this; use fewer --lines, a lower --sample-rate or a shorter file",
                EXIT_FAILED,
                error,
                debug,
            )
        except OSError as error:
            subject = error.filename or "input/output"
            problem = error.strerror or str(error) or type(error).__name__
            return _fail(f"{subject}: {problem}; check the file and its disk", EXIT_FAILED, error, debug)
        except Exception as error:
            line = f"internal error: {type(error).__name__}: {error}"
            return _fail(
                f"{line}; run again with {DEBUG} and report what it shows", EXIT_FAILED, error, debug
            )


def _fail(line: str, code: int, error: BaseException, debug: bool) -> int:
    if debug:
        click.echo("".join(traceback.format_exception(error)), err=True, nl=False)
    click.echo(f"fdnlearn: {one_line(line)}", err=True)
    return code


def _usage_line(error: click.ClickException) -> str:
    """One line of what click found wrong: option or file, problem, remedy."""
    context = getattr(error, "ctx", None)
    path = context.command_path if context else "fdnlearn"
    remedy = f"see {path} --help"
    problem = error.format_message().rstrip(".")
    parameter = getattr(error, "param", None)
    if context and parameter is not None and isinstance(error, click.BadParameter):
        source = context.get_parameter_source(parameter.name)
        if source is click.core.ParameterSource.DEFAULT_MAP:
            return str(UsageError(context.meta[DEFAULTS_FILE], problem, remedy))
    return f"{problem[:1].lower()}{problem[1:]}; {remedy}"


@click.group(
    cls=Program,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    epilog="Exit codes: 0 success, 1 refused or failed, 2 wrong usage, 130 interrupted.",
)
@click.version_option(__version__, prog_name="fdnlearn", message="%(prog)s %(version)s")
def cli() -> None:
    """Turn a measured room into a small, stable reverb.

    A room impulse response goes in as a WAV, W64, FLAC, AIFF, CAF, AU or SOFA file;
    a Feedback Delay Network comes out as numbers that any plugin can run.
    """


def main() -> NoReturn:
    """Entry point of the ``fdnlearn`` command."""
    if DEBUG not in sys.argv:
        # Remarks of libraries about themselves are for developers; what a user should know is told by us.
        warnings.simplefilter("ignore")
    prepare_streams()
    # Importing makes half a million objects that stay: not to be looked through again and again, nor at the end.
    gc.set_threshold(50_000, 20, 20)
    try:
        cli.main()
    finally:
        gc.freeze()
