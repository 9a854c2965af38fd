"""The figures of a page as inline SVG, each with its heading and caption."""

from __future__ import annotations

from fdnlearn.acoustics.grading import curve_error
from fdnlearn.acoustics.quantities import CURVE_ERRORS, ECHO_DENSITY_CHANCE_RMS
from fdnlearn.report import figures
from fdnlearn.report.colour_figures import colour_difference
from fdnlearn.report.data import ReportData
from fdnlearn.report.formatting import format_number, format_time
from fdnlearn.report.html import FigureView, figure_view
from fdnlearn.report.network_figures import feedback_matrix, line_parameters
from fdnlearn.report.octave_figures import octave_decays

#: The part of the response in which single echoes can be told apart.
EARLY_S = 0.1


def channel_figures(data: ReportData, channel: int) -> list[FigureView]:
    """Room and network compared, one channel."""
    target, fitted = data.target, data.fitted
    of = f" of channel {channel + 1}" if target.samples.shape[0] > 1 else ""
    length_s = target.length_samples / target.sample_rate_hz
    early_s = min(EARLY_S, length_s)
    edc, edp = (curve_error(data.metrics, quantity) for quantity in CURVE_ERRORS)
    rms = "Rms distance, mean of the channels," if of else "Rms distance"
    edc_distance = "" if edc is None else f" {rms} {format_number(edc, 2, 'dB')}."
    chance = f"two noises differ by about {ECHO_DENSITY_CHANCE_RMS:.2f}"
    edp_distance = "" if edp is None else f" {rms} {format_number(edp, 3)}; {chance}."
    return [
        figure_view(
            figures.energy_decay(target, fitted, channel),
            f"decay{channel}",
            "Energy decay",
            f"Backward-integrated energy{of}, noise taken out; usable down to −{target.range_db:.0f} dB, "
            f"that is to {format_time(length_s)}. Below: the difference, ±1 dB shaded.{edc_distance}",
        ),
        figure_view(
            figures.echo_density(target, fitted, channel),
            f"density{channel}",
            "Echo density",
            f"How quickly single echoes{of} become dense; 1 is Gaussian noise.{edp_distance}",
        ),
        *_octaves(data, channel, of),
        *(_colour(data) if channel == 0 else []),
        figure_view(
            figures.spectrograms(target, fitted, channel),
            f"spectrum{channel}",
            "Spectrograms",
            f"Both{of} on one scale, up to {target.sample_rate_hz / 2000.0:g} kHz.",
            tall=True,
        ),
        figure_view(
            figures.impulse_responses(target, fitted, channel),
            f"response{channel}",
            "Impulse responses",
            f"Level of each response{of} over the usable range; 0 dB is the room's highest peak.",
        ),
        figure_view(
            figures.impulse_responses(target, fitted, channel, stop_s=early_s),
            f"early{channel}",
            "Early part",
            f"The first {1000.0 * early_s:.0f} ms{of}, where reflections stand apart.",
        ),
    ]


def _octaves(data: ReportData, channel: int, of: str) -> list[FigureView]:
    """Decay per octave, of a network that has a reverberation time for each."""
    if data.fdn.reverberation_times_s.shape[1] < 2:
        return []
    return [
        figure_view(
            octave_decays(data.target, data.fitted, channel),
            f"octaves{channel}",
            "Energy decay per octave",
            f"Backward-integrated energy{of}, room solid, network dashed, over seconds; reverberation times.",
        ),
    ]


def _colour(data: ReportData) -> list[FigureView]:
    """Colour by third octave, the mean of the channels, where a third octave counts."""
    colour = data.metrics.colour
    if colour is None or not colour.whole.by_band_db:
        return []
    distance = format_number(colour.decay_rms_db, 1, "dB")
    return [
        figure_view(
            colour_difference(colour),
            "colour",
            "Colour",
            "Level of every third octave, network minus room, mean removed; ±1 dB shaded. Their decays are "
            f"{distance} rms apart.",
        ),
    ]


def loss_figure(data: ReportData) -> FigureView:
    """The course of the fit."""
    return figure_view(
        figures.loss_history(data.history),
        "loss",
        "Loss",
        "Loss of every iteration and the best so far; the stages of the fit are shaded in turn.",
    )


def network_figures(data: ReportData) -> list[FigureView]:
    """The parameters of the network."""
    several = data.fdn.inputs > 1 or data.fdn.outputs > 1
    bars = " Inputs and outputs side by side, from left to right." if several else ""
    return [
        figure_view(
            line_parameters(data.fdn),
            "lines",
            "Delay lines",
            f"Delay, reverberation time and gains of each line.{bars}",
        ),
        figure_view(
            feedback_matrix(data.fdn),
            "matrix",
            "Feedback matrix",
            "How the lines feed each other; the matrix is orthogonal and loses no energy.",
        ),
    ]
