"""What is asked of a fit: options that cannot be combined wrongly, flat settings, and what was settled."""

from __future__ import annotations

import json
from typing import Any

import pytest
from brief_fits import BRIEF, BRIEF_BANDED, RATE_HZ
from command_line import QUICK, decay, record, run
from hypothesis import given
from hypothesis import strategies as st

from fdnlearn.base.errors import UsageError
from fdnlearn.config import FitConfig
from fdnlearn.fitting import solve
from fdnlearn.options import AUTO, Analytic, Banded, Classic, Gradient, Homogeneous, options_of
from fdnlearn.registry import DEFAULT_MODEL, METHODS, MODELS
from fdnlearn.rir import Target


def test_the_default_is_a_gradient_fit_of_the_default_model() -> None:
    assert FitConfig() == FitConfig.for_model() == FitConfig(model=Banded(), method=Gradient())
    assert FitConfig().model.name == DEFAULT_MODEL


@pytest.mark.parametrize("name", MODELS)
def test_what_is_usual_is_the_models(name: str) -> None:
    model = MODELS[name]
    config = FitConfig(model=model.options())
    assert config == FitConfig.for_model(name)
    assert config.settings().items() >= model.usual().items()
    assert FitConfig(model=model.options(), method=Gradient(restarts=3)).settings()["restarts"] == 3


@pytest.mark.parametrize(("model", "method"), [(m, one) for m in MODELS for one in MODELS[m].methods])
def test_flat_settings_and_back_is_the_same_configuration(model: str, method: str) -> None:
    config = FitConfig.for_model(model, method=method, lines=5, seed=3, budget_s=1.5)
    again = json.loads(json.dumps(config.settings()))
    assert FitConfig.for_model(**again) == config
    assert set(again) == set(FitConfig().settings())
    assert (again["model"], again["method"]) == (model, method)


@given(
    terms=st.none() | st.lists(st.sampled_from(["edc", "edp"]), min_size=1, unique=True),
    patience=st.none() | st.integers(1, 9),
    early=st.sampled_from(["none", "sparse", "measured"]),
)
def test_so_it_is_whatever_is_asked(terms: list[str] | None, patience: int | None, early: str) -> None:
    config = FitConfig.for_model("banded", loss_terms=terms, patience=patience, early=early)
    assert FitConfig.for_model(**json.loads(json.dumps(config.settings()))) == config


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"model": "nonsense"}, "--model nonsense: unknown model; choose one of homogeneous, banded"),
        ({"method": "nonsense"}, "--method nonsense: unknown method; choose one of gradient, genetic"),
        ({"early": "nonsense"}, "--early nonsense: unknown; choose one of none, sparse, measured"),
        ({"delays": "nonsense"}, "--delays nonsense: unknown; choose one of integer, fractional"),
        ({"method": "classic"}, "--model banded: is not fitted by classic; use --method gradient, genetic"),
        (
            {"model": "homogeneous", "early": "sparse"},
            "--early sparse: the homogeneous model has no early part",
        ),
        ({"model": "homogeneous", "slopes": "2"}, "--slopes 2: the homogeneous model has a decay of its own"),
        ({"model": "homogeneous", "knots": "octave"}, "--knots octave: the homogeneous model has no reverb"),
        ({"method": "genetic", "patience": 5}, "--patience: means nothing to genetic; leave it out"),
        ({"method": "cmaes", "learn_delays": False}, "--method cmaes: always searches delays; freeze them"),
        ({"method": "cmaes", "loss_terms": ("edp",)}, "--method cmaes: always has its whole loss"),
    ],
)
def test_a_combination_that_makes_no_sense_is_one_line(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(UsageError) as refused:
        FitConfig.for_model(**settings)
    assert str(refused.value).startswith(told)
    assert "\n" not in str(refused.value)


def test_it_is_that_line_on_the_command_line_too(tmp_path: Any) -> None:
    room = record(tmp_path / "room.wav", decay(0.2))
    done = run("fit", room, "-o", tmp_path / "out", *QUICK, "--model", "homogeneous", "--early", "sparse")
    assert done.code == 2
    assert "--early sparse: the homogeneous model has no early part; use --model banded" in done.complaint
    assert not (tmp_path / "out").exists()


def test_what_changes_nothing_may_be_said() -> None:
    plain = FitConfig.for_model("homogeneous")
    assert FitConfig.for_model("homogeneous", early="none", slopes="auto", knots=None) == plain
    assert FitConfig.for_model("homogeneous", method="analytic", iterations=20).method == Analytic()
    assert FitConfig.for_model("homogeneous", method="genetic", learn_delays=True, patience=None)


def test_in_python_a_wrong_combination_cannot_be_written() -> None:
    for wrong in (lambda: Homogeneous(early="sparse"), lambda: Analytic(iterations=3)):  # type: ignore[call-arg]
        with pytest.raises(TypeError):
            wrong()
    with pytest.raises(UsageError, match="is not fitted by classic"):
        FitConfig(model=Banded(), method=Classic())
    with pytest.raises(UsageError, match=r"take FitConfig\.for_model for names"):
        FitConfig(model="banded")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="magic is no setting of a fit"):
        FitConfig.for_model("banded", magic=1)


def test_every_setting_of_a_model_or_a_method_says_what_it_is() -> None:
    for definition in (*MODELS.values(), *METHODS.values()):
        assert set(options_of(definition.options)) == set(definition.options().settings())


def test_a_default_banded_fit_says_what_was_settled(target: Target) -> None:
    """No 0 for "as many as the room asks for", no None or "auto" where something was chosen."""
    asked = FitConfig.for_model("banded", sample_rate_hz=RATE_HZ, iterations=4, device="cpu")
    assert (asked.model, asked.settings()["lines"]) == (Banded(), AUTO)
    solution = solve(target, asked)
    settings = solution.config.settings()
    assert settings == asked.settings() | {
        "lines": solution.fdn.lines,
        "slopes": "1",
        "loss_terms": ["edc", "edc_db", "attributes", "edp", "relief", "colour", "ringing"],
        "kernel": "time_domain",
    }
    assert settings["lines"] >= 16
    assert {name for name, value in settings.items() if value is None} == {"budget_s", "patience"}
    assert json.loads(json.dumps(settings)) == settings


@pytest.mark.parametrize("asked", [BRIEF, BRIEF_BANDED])
def test_what_was_settled_asks_for_the_same_fit(asked: FitConfig, target: Target) -> None:
    solution = solve(target, asked)
    again = solve(target, solution.config)
    assert again.fdn == solution.fdn
    assert again.config == solution.config
