"""The player's core while it runs: no click, no growth, no memory taken, whatever is moved or loaded."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np
import pytest
import scipy.signal
from fdn_networks import FloatArray, head_of, network
from player_tools import Core, Programs, banded, six, written

from fdnlearn.export.checking import error_db
from fdnlearn.render import impulse_response


def clicks_db(y: FloatArray, rate: int, change: int) -> float:
    """Largest residual above 8 kHz from 10 ms before a change until it has been carried out, re the level around it."""
    high = scipy.signal.butter(10, 8000.0, "highpass", fs=rate, output="sos")
    window = slice(change - round(0.01 * rate), change + round(0.15 * rate))
    residual = scipy.signal.sosfiltfilt(high, y, axis=1)[:, window]
    return 20.0 * float(np.log10(np.max(np.abs(residual)) / np.max(np.abs(y[:, window]))))


class TestChanges:
    RATE = 48000
    AT = 48000

    def sine(self, seconds: float = 2.0) -> FloatArray:
        t = np.arange(round(seconds * self.RATE)) / self.RATE
        return np.tile(np.sin(2.0 * np.pi * 200.0 * t) * np.minimum(t / 0.1, 1.0), (2, 1))

    @pytest.mark.parametrize(
        "change",
        [
            "decay 4",
            "decay 0.25",
            "size 2",
            "size 0.5",
            "predelay 91.3",
            "wet -20",
            "dry 0",
            "early -60",
            "direct 0",
            "freeze 1",
        ],
    )
    def test_no_control_clicks(self, change: str, core: Core) -> None:
        fit = written(banded(), core.folder)
        y = core.play(self.sine(), self.RATE, [f"-1 load {fit}", f"{self.AT} set {change}"])
        still = core.play(self.sine(), self.RATE, [f"-1 load {fit}"])
        assert not np.allclose(y[:, self.AT + 9600 :], still[:, self.AT + 9600 :], atol=1e-4)
        assert clicks_db(y, self.RATE, self.AT) < -60.0

    def test_another_fit_fades_in(self, core: Core) -> None:
        first, second = written(banded(), core.folder, "a"), written(six(), core.folder, "b")
        y = core.play(self.sine(), self.RATE, [f"-1 load {first}", f"{self.AT} load {second}"])
        alone = core.play(self.sine(), self.RATE, [f"-1 load {second}"])
        assert clicks_db(y, self.RATE, self.AT) < -60.0
        assert np.allclose(y[:, -9600:], alone[:, -9600:], atol=5e-3 * np.max(np.abs(alone)))

    def test_the_first_fit_of_a_running_plugin_fades_in(self, core: Core) -> None:
        y = core.play(self.sine(), self.RATE, [f"{self.AT} load {written(banded(), core.folder)}"])
        assert np.array_equal(y[:, : self.AT], self.sine()[:, : self.AT].astype(np.float32))
        assert clicks_db(y, self.RATE, self.AT) < -60.0

    def test_changes_arrive(self, core: Core) -> None:
        fit = written(banded(), core.folder)
        x = np.zeros((2, 2 * self.RATE))
        x[:, self.RATE] = 1.0
        moved = core.play(
            x, self.RATE, [f"-1 load {fit}", "100 set size 1.5", "9000 set decay 0.5", "9100 set decay 2"]
        )
        expected = impulse_response(banded(), self.RATE, 1.0, size=1.5, decay=2.0)
        assert error_db(moved[:, self.RATE :], expected) <= -140.0

    def test_automation_stays_within_twice_the_static_energy(self, core: Core) -> None:
        """A minute of decay and size over their whole ranges, 20 times a second, at the longest reverberation time."""
        fdn = banded(8, times_s=(12.0, 8.0))
        fit = written(fdn, core.folder)
        rng = np.random.default_rng(3)
        seconds, step = 60, self.RATE // 20
        x = 0.1 * np.tile(rng.standard_normal(seconds * self.RATE), (2, 1))

        def largest_energy(script: list[str]) -> float:
            y = core.play(x, self.RATE, [f"-1 load {fit}", *script], block=512)
            assert np.isfinite(y).all()
            energy = np.square(y).sum(axis=0).reshape(-1, self.RATE // 10).sum(axis=1)
            return float(energy.max())

        static = max(largest_energy(["-1 set decay 4", f"-1 set size {size}"]) for size in (0.5, 1, 2))
        moves = []
        for frame in range(0, seconds * self.RATE, step):
            decay, size = 0.25 * 16.0 ** rng.random(), 0.5 * 4.0 ** rng.random()
            moves += [f"{frame} set decay {decay:.4f}", f"{frame} set size {size:.4f}"]
        steps = [
            f"{frame} set size {0.5 if frame // step % 2 else 2}"
            for frame in range(0, seconds * self.RATE, step)
        ]
        assert largest_energy(moves) <= 2.0 * static
        assert largest_energy(["-1 set decay 4", *steps]) <= 2.0 * static


class TestAudioThread:
    def test_it_takes_no_memory_and_no_lock_whatever_happens(
        self, programs: Programs, tmp_path: Path
    ) -> None:
        """Controls move, rooms fade in and replace each other; malloc, free and mutexes are counted meanwhile."""
        core = Core(programs["counted_play"], tmp_path)
        first, second = written(banded(), tmp_path, "a"), written(six(), tmp_path, "b")
        script = [f"-1 load {first}"]
        for step in range(20):
            frame = 4000 * (step + 1)
            script += [f"{frame} set decay {0.3 + 0.15 * step}", f"{frame} set size {2.0 - 0.07 * step}"]
            script += [f"{frame} set freeze {step % 5 // 4}", f"{frame} set wet {-step}"]
            if step % 4 == 3:
                script.append(f"{frame + 1000} load {(first, second)[step // 4 % 2]}")
        x = 0.1 * np.random.default_rng(7).standard_normal((2, 96000))
        assert np.isfinite(core.play(x, 48000, script)).all()

    def test_silence_ends_in_zeros(self, core: Core) -> None:
        """Nothing lingers among denormal numbers."""
        fdn = banded(times_s=(0.3, 0.2))
        y = core.response(fdn, 48000, 15.0)
        assert np.max(np.abs(y[:, :48000])) > 0.1
        assert np.all(y[:, -48000:] == 0.0)


class TestHardening:
    @pytest.fixture(scope="class")
    @staticmethod
    def fits(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
        folder = tmp_path_factory.mktemp("fits")
        made = {
            "six": network(6, reverberation_time_s=0.4, delays=(20, 300)),
            "banded": banded(4, sample_rate_hz=8000),
            "two": network(3, 2, 2, sample_rate_hz=8000, delays=(1, 40)),
            "headed": network(3, 1, 2, sample_rate_hz=8000, delays=(10, 40), **head_of(30, 12, 2)),
            "dense": network(
                2, early=[{"kind": "fir", "output": 0, "input": 0, "coefficients": [0.5, -0.25, 0.125]}]
            ),
        }
        return [written(fdn, folder, name) for name, fdn in made.items()]

    def test_ten_thousand_loads_and_moves_find_nothing(self, programs: Programs, fits: list[Path]) -> None:
        done = subprocess.run(
            [programs["stress"], "10000", *fits], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr[-3000:]
        loaded, refused = (int(word) for word in done.stdout.replace(",", "").split()[0:3:2])
        assert loaded > 2000
        assert refused > 500

    def test_loading_while_audio_runs_is_no_race(self, programs: Programs, fits: list[Path]) -> None:
        done = subprocess.run(
            [programs["threads"], "-30", *fits], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stdout + done.stderr[-3000:]
