"""The options that decide a fit, for every command that fits."""

from __future__ import annotations

from typing import Any

import click

from fdnlearn import registry
from fdnlearn.cli.common import ChannelType, Command, budget_option, lines_option, sample_rate_option

_OPTIONS: tuple[Any, ...] = (
    click.option(
        "--model",
        type=click.Choice(list(registry.MODELS)),
        default=registry.DEFAULT_MODEL,
        show_default=True,
        help="What is fitted: "
        + "; ".join(f"{name}: {usual.about}" for name, usual in registry.MODELS.items()),
    ),
    click.option(
        "--method",
        type=click.Choice(list(registry.METHODS)),
        default="gradient",
        show_default=True,
        help="How it is fitted.",
    ),
    lines_option("Number of delay lines.  [default: 16, more for a long reverberation; homogeneous: 6]"),
    sample_rate_option("Rate of the fit, at most the recording's.  [default: 48000; homogeneous: 16000]"),
    click.option(
        "--channel",
        metavar="K|all",
        type=ChannelType(),
        help="Channel of the recording, from 0.  [default: the first]",
    ),
    click.option(
        "--iterations",
        metavar="N",
        type=click.IntRange(1, 1_000_000),
        help="Length of the long descent, or generations.  [default: 300 to 600, by the room; homogeneous: 400]",
    ),
    budget_option("End after this wall-clock time."),
    click.option(
        "--patience",
        metavar="N",
        type=click.IntRange(1, 1_000_000),
        help="End a stage of the gradient fit early if N steps brought no progress.  [default: never]",
    ),
    click.option(
        "--restarts",
        metavar="K",
        type=click.IntRange(1, 1024),
        help="Short starts that compete before the long descent.  [default: 4; homogeneous: 16]",
    ),
    click.option(
        "--early",
        type=click.Choice(registry.EARLY),
        help="Early part of a banded network: taps that are learned, or the recording's own.  [default: sparse]",
    ),
    click.option(
        "--slopes",
        type=click.Choice(registry.SLOPES),
        help="Reverberation times per band of a banded network; two for coupled rooms.  [default: auto]",
    ),
    click.option(
        "--knots",
        type=click.Choice(registry.KNOTS),
        help="Where a banded network's reverberation times are parameters.  [default: octave]",
    ),
    click.option(
        "--seed",
        metavar="N",
        type=click.IntRange(0, 2**63 - 1),
        default=0,
        show_default=True,
        help="Seed of everything random.",
    ),
    click.option(
        "--device",
        type=click.Choice(registry.DEVICES),
        default="auto",
        show_default=True,
        help="Where the training runs.",
    ),
    click.option(
        "--delays",
        type=click.Choice(registry.DELAYS),
        default="integer",
        show_default=True,
        help="How the delays end; only whole samples render exactly.",
    ),
    click.option(
        "--stereo", is_flag=True, help="Two decorrelated outputs whose sum is the fit of one channel."
    ),
)


def fit_options(command: Command) -> Command:
    """Add the fields of `FitConfig` that a user chooses, ``--channel`` and ``--stereo``."""
    for option in reversed(_OPTIONS):
        command = option(command)
    return command
