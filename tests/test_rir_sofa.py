"""SOFA files: every response after its delay, emitters are channels, what makes no sense is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import netCDF4
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.rir import read_recording
from fdnlearn.rir.sofa import delayed

RATE_HZ = 48000
RANDOM = np.random.default_rng(0)
_FILES = settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def write(
    path: Path,
    responses: np.ndarray,
    delay_samples: np.ndarray | None = None,
    dimensions: str = "MRN",
    rate_hz: float | np.ndarray = RATE_HZ,
) -> Path:
    """A file of the bare necessities, as AES69 names them or not."""
    with netCDF4.Dataset(path, "w") as file:
        file.Conventions, file.SOFAConventions = "SOFA", "GeneralFIR"
        sizes = dict(zip(dimensions, responses.shape, strict=True)) | {"I": 1}
        for name, size in ({"M": 1} | sizes).items():
            file.createDimension(name, size)
        file.createVariable("Data.IR", "f8", tuple(dimensions))[:] = responses
        rates = np.atleast_1d(rate_hz)
        file.createVariable("Data.SamplingRate", "f8", ("I",) if len(rates) == 1 else ("M",))[:] = rates
        if delay_samples is not None:
            axes = []
            for axis, size in enumerate(delay_samples.shape):
                axes.append(f"D{axis}")
                file.createDimension(axes[-1], size)
            file.createVariable("Data.Delay", "f8", tuple(axes))[:] = delay_samples
    return path


def complaint(path: Path) -> str:
    with pytest.raises(FdnlearnError) as caught:
        read_recording(path)
    assert "\n" not in str(caught.value)
    return str(caught.value)


@_FILES
@given(data=st.data(), measurements=st.integers(1, 3), receivers=st.integers(1, 3))
def test_each_response_comes_after_its_delay(
    tmp_path: Path, data: st.DataObject, measurements: int, receivers: int
) -> None:
    responses = RANDOM.standard_normal((measurements, receivers, 40))
    given_shape = (data.draw(st.sampled_from([1, measurements])), data.draw(st.sampled_from([1, receivers])))
    delay = data.draw(arrays.arrays(np.float64, given_shape, elements=st.integers(0, 100)))
    samples = read_recording(write(tmp_path / "a.sofa", responses, delay)).samples
    each = np.broadcast_to(delay, (measurements, receivers)).ravel().astype(int)
    assert samples.shape == (measurements * receivers, 40 + each.max())
    for row, response, whole in zip(samples, responses.reshape(-1, 40), each, strict=True):
        np.testing.assert_array_equal(row[whole : whole + 40], response)
        assert np.abs(row).sum() == pytest.approx(np.abs(response).sum())


@pytest.mark.parametrize("delay", [0.5, 3.25, 24.9, 100.001])
@pytest.mark.parametrize("hz", [0.0, 100.0, 5000.0, 20_000.0])
def test_a_fraction_of_a_sample_is_exact_below_the_stop_band(delay: float, hz: float) -> None:
    def wave(at: np.ndarray) -> np.ndarray:
        return np.asarray(np.cos(2 * np.pi * hz * at / RATE_HZ + 0.3))

    n = np.arange(400.0)
    later = delayed(wave(n)[None], np.array([delay]))[0]
    inner = slice(200, 360)
    np.testing.assert_allclose(
        later[inner], wave(np.arange(len(later)) - delay)[inner], atol=10 ** (-90 / 20)
    )


@_FILES
@given(delay=st.floats(0.0, 200.0), start=st.integers(40, 100))
def test_a_delay_moves_the_middle_of_a_pulse_and_keeps_its_energy(delay: float, start: int) -> None:
    pulse = np.zeros((1, 200))
    pulse[0, start : start + 9] = np.hanning(11)[1:-1]
    later = delayed(pulse, np.array([delay]))

    def middle(h: np.ndarray) -> float:
        return float(np.sum(np.arange(h.shape[1]) * h[0] ** 2) / np.sum(h**2))

    assert later.shape == (1, 200 + int(np.ceil(delay)))
    assert middle(later) - middle(pulse) == pytest.approx(delay, abs=1e-3)
    assert np.sum(later**2) == pytest.approx(np.sum(pulse**2), rel=1e-3)


@pytest.mark.parametrize("dimensions", ["MRNE", "MREN"])
@pytest.mark.parametrize("shape", [(1, 2, 3, 50), (2, 1, 2, 60), (3, 2, 2, 2), (1, 1, 1, 40)])
def test_emitters_are_channels(tmp_path: Path, dimensions: str, shape: tuple[int, ...]) -> None:
    responses = RANDOM.standard_normal(shape)
    delay = RANDOM.integers(0, 20, shape[:3]).astype(float)
    written = responses if dimensions == "MREN" else np.moveaxis(responses, -1, 2)
    for given_delay in (None, delay, delay[:1], np.full((1, 1, 1), 7.0), np.full((1, 1), 7.0)):
        path = write(tmp_path / "a.sofa", written, given_delay, dimensions)
        samples = read_recording(path).samples
        each = np.broadcast_to(
            0.0 if given_delay is None else given_delay.reshape((*given_delay.shape, 1)[:3]), shape[:3]
        )
        assert samples.shape == (np.prod(shape[:3]), shape[3] + each.max())
        for row, response, whole in zip(
            samples, responses.reshape(-1, shape[3]), each.ravel().astype(int), strict=True
        ):
            np.testing.assert_array_equal(row[whole : whole + shape[3]], response)


def test_axes_of_other_names_are_taken_in_their_order(tmp_path: Path) -> None:
    responses = RANDOM.standard_normal((2, 3, 40))
    for written, dimensions in ((responses, "abc"), (np.stack([responses] * 2, axis=-1), "abcd")):
        samples = read_recording(write(tmp_path / "a.sofa", written, dimensions=dimensions)).samples
        np.testing.assert_array_equal(samples[:: written.ndim - 2], responses.reshape(6, 40))


def test_files_of_a_convention_read_as_they_were_written(tmp_path: Path) -> None:
    import sofar

    sofa = sofar.Sofa("GeneralFIR-E")
    responses = RANDOM.standard_normal((1, 2, 64, 3))
    sofa.Data_IR, sofa.Data_SamplingRate, sofa.Data_Delay = responses, 48000.0, np.full((1, 2, 3), 4.0)
    sofa.ReceiverPosition, sofa.EmitterPosition = np.ones((2, 3)), np.ones((3, 3))
    sofar.write_sofa(str(tmp_path / "a.sofa"), sofa)
    recording = read_recording(tmp_path / "a.sofa")
    assert recording.encoding == "SOFA GeneralFIR-E"
    np.testing.assert_array_equal(recording.samples[:, 4:], np.moveaxis(responses, 2, 3).reshape(6, 64))


def test_negative_delays_move_all_and_are_told(tmp_path: Path) -> None:
    responses = RANDOM.standard_normal((1, 3, 40))
    recording = read_recording(write(tmp_path / "a.sofa", responses, np.array([[-10.0, 0.0, 5.0]])))
    for row, response, whole in zip(recording.samples, responses[0], (0, 10, 15), strict=True):
        np.testing.assert_array_equal(row[whole : whole + 40], response)
    assert recording.warnings == ("Delays (Data.Delay) are negative: all responses begin 10 samples later.",)


@pytest.mark.parametrize(
    ("delay", "problem"),
    [
        (np.array([[0.0, np.nan]]), "impossible delays"),
        (np.array([[0.0, np.inf]]), "impossible delays"),
        (np.array([[0.0, 1e300]]), "impossible delays"),
        (np.array([[0.0, 1e8]]), "too long"),
        (np.array([[0.0, -1e8]]), "too long"),
        (np.zeros((1, 3)), "another shape"),
        (np.zeros((2, 2)), "another shape"),
        (np.zeros((1, 2, 2)), "another shape"),
        (np.zeros(2), "another shape"),
    ],
)
def test_delays_that_make_no_sense_are_refused(tmp_path: Path, delay: np.ndarray, problem: str) -> None:
    assert problem in complaint(write(tmp_path / "a.sofa", np.ones((1, 2, 40)), delay))


@pytest.mark.parametrize(
    "rate_hz", [0.0, -48000.0, 48000.5, np.nan, np.inf, 1e300, 1.0, 1e8, np.array([44100.0, 48000.0])]
)
def test_rates_that_make_no_sense_are_refused(tmp_path: Path, rate_hz: float | np.ndarray) -> None:
    responses = np.ones((2, 1, 40))
    assert "sample rate" in complaint(write(tmp_path / "a.sofa", responses, rate_hz=rate_hz))


@pytest.mark.parametrize(
    "make",
    [
        lambda path: path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500)),
        lambda path: netCDF4.Dataset(path, "w").close(),
        lambda path: write(path, np.ones((1, 2, 400))).write_bytes(path.read_bytes()[:3000]),
    ],
)
def test_a_file_without_responses_is_refused(tmp_path: Path, make: Callable[[Path], object]) -> None:
    make(tmp_path / "a.sofa")
    said = complaint(tmp_path / "a.sofa")
    assert "not a readable SOFA file" in said or "no impulse responses" in said
