"""The options that decide a fit, for every command that fits: the settings of `fdnlearn.config` as flags."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from fdnlearn import registry
from fdnlearn.cli.common import ChannelType, Command, NumberType, WholeNumber, Word, choice_option
from fdnlearn.config import FitConfig, every_option
from fdnlearn.options import AUTO, Option, options_of


def fit_options(command: Command) -> Command:
    """Add every setting of a fit that has a flag, ``--model``, ``--method``, ``--channel`` and ``--stereo``."""
    for option in reversed((*_CHOICES, *_settings(), *_SIGNALS)):
        command = option(command)
    return command


_CHOICES: tuple[Any, ...] = (
    choice_option(
        "--model",
        registry.MODELS,
        registry.DEFAULT_MODEL,
        "What is fitted: " + "; ".join(f"{name}: {one.about}" for name, one in registry.MODELS.items()),
    ),
    choice_option("--method", registry.METHODS, registry.DEFAULT_METHOD, "How it is fitted."),
)

_SIGNALS: tuple[Any, ...] = (
    click.option(
        "--channel",
        metavar="K|all",
        type=ChannelType(),
        help="Channel of the recording, from 1.  [default: the first]",
    ),
    click.option(
        "--stereo", is_flag=True, help="Two decorrelated outputs whose sum is the fit of one channel."
    ),
)


def _settings() -> list[Any]:
    """One option of click for each setting that has a flag."""
    usual = {name: FitConfig.for_model(name).settings() for name in registry.MODELS}
    common = options_of(FitConfig)
    made = []
    for name, about in every_option().items():
        if not about.flag:
            continue
        more: dict[str, Any] = {"help": about.help}
        of_models = {model: settings[name] for model, settings in usual.items()}
        default = of_models[registry.DEFAULT_MODEL]
        if name in common and default is not None and len(set(of_models.values())) == 1:
            more |= {"default": default, "show_default": True}
        elif said := _said(name, of_models):
            more["help"] += f"  [default: {said}]"
        if about.metavar:
            more["metavar"] = about.metavar
        made.append(click.option(about.flag, name, type=_type(about), **more))
    return made


def _type(about: Option) -> Any:
    if about.choices:
        return Word(about.choices)
    if about.whole:
        return WholeNumber(int(about.least), int(about.most))
    return NumberType(about.least, about.most, above=True)


def _said(name: str, of_models: Mapping[str, Any]) -> str:
    """What a help text says of a default, first that of the default model, then those that are others."""
    said = {}
    for model, value in of_models.items():
        about = options_of(registry.MODELS[model].options).get(name) or every_option()[name]
        if value is None:
            said[model] = about.none
        elif value == AUTO and about.auto:
            said[model] = about.auto
        else:
            said[model] = str(value)
    first = said.pop(registry.DEFAULT_MODEL)
    return "; ".join(
        [first, *(f"{model}: {text}" for model, text in said.items() if text not in ("", first))]
    )
