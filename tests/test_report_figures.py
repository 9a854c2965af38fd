"""The figures of the report: labelled, right where the truth is known, drawn for any data."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from matplotlib.figure import Figure
from report_data import (
    RATE_HZ,
    make_fdn,
    make_history,
    make_target,
)

from fdnlearn.report import figures, network_figures
from fdnlearn.report.style import PALETTE, to_svg

pytestmark = pytest.mark.page


def all_figures(channels: int = 1) -> dict[str, Figure]:
    target, fdn = make_target(channels), make_fdn(outputs=channels)
    return {
        "energy decay": figures.energy_decay(target, target.samples, channels - 1),
        "echo density": figures.echo_density(target, target.samples, channels - 1),
        "spectrograms": figures.spectrograms(target, target.samples, channels - 1),
        "impulse responses": figures.impulse_responses(target, target.samples, channels - 1),
        "early part": figures.impulse_responses(target, target.samples, channels - 1, stop_s=0.1),
        "loss": figures.loss_history(make_history()),
        "matrix": network_figures.feedback_matrix(fdn),
        "lines": network_figures.line_parameters(fdn),
    }


def test_every_figure_has_labelled_axes_with_units() -> None:
    for name, figure in all_figures(2).items():
        assert isinstance(figure, Figure), name
        labels = [label for axes in figure.axes for label in (axes.get_xlabel(), axes.get_ylabel()) if label]
        unitless = {"From line j", "To line i", "Line"}
        assert labels, name
        assert all("/" in label or label in unitless for label in labels), (name, labels)


def test_the_energy_decay_starts_at_the_rooms_level_and_falls() -> None:
    target = make_target()
    decay, difference = figures.energy_decay(target, 0.5 * target.samples).axes
    room = next(line for line in decay.lines if line.get_label() == "Room").get_ydata()
    assert room[0] == pytest.approx(0.0)
    assert np.all(np.diff(room) <= 0.0)
    gap = max(difference.lines, key=lambda line: len(line.get_ydata())).get_ydata()
    np.testing.assert_allclose(gap, 20.0 * np.log10(0.5), atol=1e-9)


def test_a_sine_stands_at_its_frequency_in_the_spectrogram() -> None:
    target = make_target()
    tone = np.sin(2.0 * np.pi * 1000.0 * np.arange(target.samples.shape[1]) / RATE_HZ)[None]
    image = figures.spectrograms(target, tone).axes[1].images[0]
    values = np.asarray(image.get_array())
    row = int(np.argmax(values[:, values.shape[1] // 2]))
    low, high = image.get_extent()[2:]
    assert 2.0 ** (low + (high - low) * (row + 0.5) / values.shape[0]) == pytest.approx(1000.0, rel=0.06)


def test_figures_leave_the_users_settings_alone() -> None:
    import matplotlib

    before = dict(matplotlib.rcParams)
    to_svg(figures.loss_history(make_history()), "x", "label")
    assert dict(matplotlib.rcParams) == before


@pytest.mark.parametrize(
    "losses", [[], [float("nan")] * 3, [float("inf"), 1.0], [-1.0, 0.0], [1e-3], [2.0] * 5]
)
def test_any_course_of_the_loss_can_be_drawn(losses: list[float]) -> None:
    history = [SimpleNamespace(stage="a $x^", loss=value, best_loss=value, seconds=0.0) for value in losses]
    assert to_svg(figures.loss_history(history), "x", "label").startswith("<svg")


def test_short_and_empty_responses_can_be_drawn() -> None:
    target = make_target(seconds=0.01)
    for fitted in (np.zeros((1, 1)), np.ones((1, 20))):
        for draw in (
            figures.energy_decay,
            figures.echo_density,
            figures.spectrograms,
            figures.impulse_responses,
        ):
            assert to_svg(draw(target, fitted), "x", "label").startswith("<svg")


def test_networks_of_any_size_can_be_drawn() -> None:
    for fdn in (make_fdn(1), make_fdn(12, inputs=2, outputs=3)):
        assert to_svg(network_figures.feedback_matrix(fdn), "x", "label").startswith("<svg")
        assert to_svg(network_figures.line_parameters(fdn), "x", "label").startswith("<svg")


def test_svg_follows_the_colours_of_the_page() -> None:
    svg = to_svg(figures.energy_decay(make_target(), make_target().samples), "x", 'a "label" <b>')
    for name, colour in PALETTE.items():
        assert svg.count(colour) == svg.count(f"var(--fig-{name},{colour})")
    assert 'aria-label="a &#34;label&#34; &lt;b&gt;"' in svg
