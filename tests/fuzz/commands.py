"""Command lines made of the table of options: every subcommand, options at random, values in and out of range."""

from __future__ import annotations

import contextlib
import json
import random
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import click
from command_line import decay, record
from fdn_networks import network

from fdnlearn import registry
from fdnlearn.cli.common import ChannelType, NumberType
from fdnlearn.cli.main import COMMANDS, cli
from fdnlearn.fdn import save_fdn
from fuzz.cases import Case, Fault, Kind
from fuzz.fits import brief_fits
from fuzz.mutations import WORDS
from fuzz.verdicts import command

_RECORDINGS = (
    "room.wav",
    "stereo.wav",
    "rooms",
    "rooms/*.wav",
    "rooms.csv",
    "text.wav",
    "none.wav",
    "fdn.json",
)
_NETWORKS = ("fdn.json", "text.wav", "none.json", "room.wav", "rooms")
_FOLDERS = ("out", "deep/er/out", "rooms", "room.wav", "room.wav/out", "öut", "-o", "out ")
_OUTPUTS = ("wet.wav", "wet.flac", "wet.AIFF", "wet.mp3", "wet", "deep/wet.wav", "rooms", "fdn.json/wet.wav")
_TOML = ("good.toml", "odd.toml", "text.wav", "none.toml", "rooms")
#: By the name of a parameter: what it might be given.
_TEXTS: dict[str, tuple[str, ...]] = {
    "rir": _RECORDINGS,
    "recordings": _RECORDINGS,
    "network": _NETWORKS,
    "result": _NETWORKS,
    "dry_file": _RECORDINGS,
    "folder": _FOLDERS,
    "output": _OUTPUTS,
    "targets": (*registry.TARGETS, "all", "wav,wav", "wav,c99", ",", "wav,"),
    "methods": (*registry.METHODS, "gradient,analytic", "gradient,gradient", "gradient:fixed-delays", ":"),
    "config": _TOML,
    "name": ("room", "a/b", "../x", "9 lives", "con", "int"),
    "host": ("127.0.0.1", "localhost", "0.0.0.0", "::1", "256.1.1.1"),
    "address": ("auto", "127.0.0.1:1"),
}
#: What would take long in earnest, or opens what is to be tried elsewhere.
_TAME: dict[str, tuple[str, ...]] = {"seeds": ("1", "2", "0", "1001"), "size": ("0.01", "0.5", "3", "101")}
_LEFT_OUT = {"--check", "--help", "--debug"}
_LONGEST = 7


@cache
def _parameters(name: str) -> tuple[click.Parameter, ...]:
    found = cli.get_command(click.Context(cli), name)
    assert found is not None
    return tuple(one for one in found.params if not _LEFT_OUT & set(one.opts))


def _seeds() -> list[Case]:
    lines = (
        ["fit", "room.wav", "-o", "out"],
        ["fit", "stereo.wav", "--channel", "all", "--model", "homogeneous", "--json"],
        ["fit", "room.wav", "-o", "out", "--stereo", "--config", "good.toml"],
        ["batch", "rooms", "-o", "out", "--model", "homogeneous"],
        ["batch", "rooms.csv", "--method", "analytic", "--json"],
        ["analyze", "room.wav"],
        ["compare", "room.wav", "-o", "out", "--methods", "gradient,analytic", "--seeds", "1"],
        ["render", "fdn.json", "stereo.wav", "-o", "wet.wav", "--dry", "-6"],
        ["export", "fdn.json", "--to", "wav,c99", "-o", "out"],
        ["export", "--list", "--json"],
        ["audition", "fdn.json", "--port", "0"],
        ["schema", "metrics"],
    )
    return [_case(line) for line in lines]


def _case(line: list[str]) -> Case:
    return Case(json.dumps(line).encode(), ".json")


def _mutate(rng: random.Random, known: list[Case], case: Case) -> Case:
    line = json.loads(case.content)
    how = rng.random()
    if how < 0.4:
        return _case(_made(rng))
    if how < 0.8 and line[0] in COMMANDS:
        return _case([*line, *_option(rng, line[0])][:20])
    at = rng.randrange(len(line))
    return _case([*line[:at], *rng.choice(((), (rng.choice(WORDS),))), *line[at + 1 :]] or ["fit"])


def _made(rng: random.Random) -> list[str]:
    name = rng.choice(COMMANDS)
    line = [name]
    for parameter in _parameters(name):
        if isinstance(parameter, click.Argument):
            count = rng.choice((1, 2)) if parameter.nargs < 0 else rng.random() < 0.95
            line += [_value(rng, parameter) for _ in range(count)]
        elif parameter.required and rng.random() < 0.95:
            line += [parameter.opts[0], _value(rng, parameter)]
    if name == "compare":
        line += ["--seeds", "1", "--methods", rng.choice(_TEXTS["methods"])]
    for _ in range(rng.randrange(_LONGEST)):
        line += _option(rng, name)
    return line


def _option(rng: random.Random, name: str) -> list[str]:
    option = rng.choice([one for one in _parameters(name) if isinstance(one, click.Option)])
    flag = rng.choice(option.opts)
    return [flag] if option.is_flag else [flag, _value(rng, option)]


def _value(rng: random.Random, parameter: click.Parameter) -> str:
    name, kind = str(parameter.name), parameter.type
    if name in _TAME:
        return rng.choice(_TAME[name])
    if rng.random() < 0.1:
        return rng.choice(WORDS)
    if isinstance(kind, click.Choice):
        return str(rng.choice(list(kind.choices)))
    if isinstance(kind, ChannelType):
        return rng.choice(("0", "1", "all", "2", "-1"))
    if isinstance(kind, NumberType):
        return repr(_number(rng, kind.least, kind.most))
    if isinstance(kind, click.IntRange):
        return str(int(_number(rng, kind.min or 0, kind.max or 0)))
    return rng.choice(_TEXTS.get(name, WORDS))


def _number(rng: random.Random, least: float, most: float) -> float:
    """Mostly a small one that is in range, else one at an edge."""
    if rng.random() < 0.6:
        return least + rng.choice((0, 1, 2, 4, 8, 4000)) * (1 if isinstance(least, int) else rng.random())
    return rng.choice((least, most, least - 1, most + 1))


@contextlib.contextmanager
def _world() -> Iterator[None]:
    with brief_fits():
        yield


def lay_out() -> None:
    """The files that command lines speak of."""
    room = decay(0.15, rate=8000)
    record(Path("room.wav"), room, 8000)
    record(Path("stereo.wav"), decay(0.15, rate=8000, seed=1).reshape(-1, 1) * [1.0, 0.5], 8000)
    Path("text.wav").write_text("no sound\n")
    Path("rooms").mkdir()
    record(Path("rooms/a.wav"), room, 8000)
    Path("rooms.csv").write_text("path,name\nroom.wav,one\nstereo.wav,two\n")
    save_fdn(network(2, sample_rate_hz=8000, delays=(50, 200), reverberation_time_s=0.1), Path("fdn.json"))
    Path("good.toml").write_text('model = "homogeneous"\nlines = 3\nseed = 5\n')
    Path("odd.toml").write_text('lines = "many"\n[fit]\nseed = 1.5\n')


def _check(case: Case) -> None:
    try:
        line: Any = [str(word) for word in json.loads(case.content)]
    except (ValueError, TypeError) as error:
        raise Fault(f"the case itself is no command line: {error}") from None
    lay_out()
    command(*line)


COMMAND_LINES = Kind("commands", _seeds, _mutate, _check, _world)
