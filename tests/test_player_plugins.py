"""The player as a plugin, in real hosts: what presets sound like there, and what hosts do to them."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from command_line import run
from export_networks import shelves_known, stereo
from fdn_networks import FloatArray, network
from player_tools import SOURCE, banded

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.export import check, export
from fdnlearn.export.checking import error_db
from fdnlearn.export.hosts import clap as clap_hosting
from fdnlearn.export.hosts.clap import DPF
from fdnlearn.export.network import describe
from fdnlearn.export.player import VERSION, find_player, source_folder, state
from fdnlearn.export.vst3 import CLASS_ID, class_text
from fdnlearn.fdn import FDN, save_fdn

KINDS = ("vst3", "clap", "lv2")
FITS = {
    "six": (lambda: network(6, reverberation_time_s=0.9, delays=(300, 1900)), None),
    "banded": (banded, None),
    "banded_at_44100": (banded, 44100),
    "two_inputs_at_96000": (
        lambda: network(6, 2, 2, sample_rate_hz=44100, reverberation_time_s=0.8, delays=(300, 1900)),
        96000,
    ),
}


@pytest.fixture(scope="module")
def plugins(built_player: Path | None) -> Path:
    if built_player is None:
        pytest.skip("g++, make, patch or dpf-source are not installed")
    return built_player


@pytest.mark.parametrize("fit", FITS)
@pytest.mark.parametrize("kind", KINDS)
def test_a_preset_sounds_like_the_fit(kind: str, fit: str, plugins: Path, tmp_path: Path) -> None:
    make, rate = FITS[fit]
    outcome = check(export(make(), kind, tmp_path, name=fit, sample_rate_hz=rate)[0], longest_s=1.5)
    if outcome.error_db is None:
        pytest.skip(outcome.reason)
    assert outcome.error_db <= -140.0


class Hosts:
    """Small hosts, compiled once."""

    def __init__(self, folder: Path, plugins: Path) -> None:
        self.folder = folder
        self.fdn = banded()
        self.response = describe(self.fdn, "room").impulse_response(1.0)[:, 0]
        self.state = folder / "state"
        self.state.write_bytes(state(self.fdn))
        dpf = Path(os.environ.get("DPF_PATH", DPF)) / "distrho" / "src"
        self.commands = {}
        offences = folder / "offences.o"
        subprocess.run(["gcc", "-O1", "-c", SOURCE / "tests" / "offences.c", "-o", offences], check=True)
        self.commands["clap"] = (clap_hosting.compile_host(folder, offences), find_player("clap").path)
        program = folder / "vst3_host"
        source = SOURCE / "tests" / "vst3_host.cpp"
        subprocess.run(["g++", "-std=c++17", "-O1", "-I", dpf, source, "-o", program, "-ldl"], check=True)
        self.commands["vst3"] = (program, next(find_player("vst3").path.rglob("*.so")))

    def play(self, kind: str, *more: object, **variables: str) -> tuple[FloatArray, bytes, str]:
        """What an impulse sounds like, the state as the plugin saved it, and what the host printed."""
        out = self.folder / "heard"
        arguments: Sequence[object] = (self.state, 48000, self.response.shape[1], 3, out, *more)
        done = subprocess.run(
            [*self.commands[kind], *map(str, arguments)],
            env={**os.environ, **variables},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stderr == ""
        heard = np.fromfile(out, dtype="<f4").reshape(-1, 2).T.astype(np.float64)
        return heard, out.with_suffix(".state").read_bytes(), done.stdout


@pytest.fixture(scope="module")
def hosts(plugins: Path, tmp_path_factory: pytest.TempPathFactory) -> Hosts:
    return Hosts(tmp_path_factory.mktemp("hosts"), plugins)


class TestState:
    @pytest.mark.parametrize("stream_bytes", [1, 17, 100000000])
    @pytest.mark.parametrize("kind", ["clap", "vst3"])
    def test_it_survives_streams_of_few_bytes(self, kind: str, stream_bytes: int, hosts: Hosts) -> None:
        heard, saved, _ = hosts.play(kind, stream_bytes)
        assert saved == hosts.state.read_bytes()
        assert error_db(heard, hosts.response) <= -140.0

    @pytest.mark.parametrize("kind", ["clap", "vst3"])
    def test_decimal_commas_change_nothing(self, kind: str, hosts: Hosts) -> None:
        locales = subprocess.run(["locale", "-a"], capture_output=True, text=True, check=False).stdout.lower()
        if "de_de" not in locales:
            pytest.skip("the locale de_DE.UTF-8 is not installed")
        usual = hosts.state.read_bytes()
        try:
            hosts.state.write_bytes(usual.replace(b"decay\x001\x00", b"decay\x001.75\x00"))
            heard, saved, _ = hosts.play(kind, 17, LC_ALL="de_DE.UTF-8")
            there, also_saved, _ = hosts.play(kind, 17, LC_ALL="C")
        finally:
            hosts.state.write_bytes(usual)
        assert b"decay\x001.75\x00" in saved
        assert saved == also_saved
        assert np.array_equal(heard, there)
        assert error_db(heard, hosts.response) > -60.0

    def test_damaged_states_leave_the_plugin_as_it_is(self, hosts: Hosts) -> None:
        usual = hosts.state.read_bytes()
        try:
            hosts.state.write_bytes(usual.replace(b'"gain":', b'"loss":'))
            done = subprocess.run(
                [*hosts.commands["clap"], hosts.state, "48000", "1000", "3", hosts.folder / "heard"],
                capture_output=True,
                text=True,
                check=False,
            )
        finally:
            hosts.state.write_bytes(usual)
        assert done.returncode == 0
        assert "is missing" in done.stderr or "not of the format" in done.stderr
        heard = np.fromfile(hosts.folder / "heard", dtype="<f4").reshape(-1, 2)
        assert np.array_equal(heard[:2], [[1.0, 1.0], [0.0, 0.0]])  # without a fit everything passes

    @pytest.mark.parametrize("block", [1, 64, 441])
    def test_the_audio_thread_takes_no_memory_and_no_lock(self, block: int, hosts: Hosts) -> None:
        """The host is linked with functions that count malloc, free and mutexes while it processes."""
        hosts.play("clap", 100000000, block)

    def test_what_counts_offences_does_count(self, tmp_path: Path, plugins: Path) -> None:
        (tmp_path / "main.c").write_text(
            "#include <stdlib.h>\nvoid audio_thread(int);\nint audio_thread_offences(void);\n"
            "int main(void) { audio_thread(1); void *volatile p = malloc(10); free(p); audio_thread(0);\n"
            "  return audio_thread_offences() == 2 ? 0 : 1; }\n"
        )
        command = [
            "gcc",
            "-O1",
            tmp_path / "main.c",
            SOURCE / "tests" / "offences.c",
            "-o",
            tmp_path / "main",
        ]
        subprocess.run(command, check=True)
        subprocess.run([tmp_path / "main"], check=True)


class TestPresets:
    def test_the_class_is_the_plugins(self, hosts: Hosts) -> None:
        _, _, printed = hosts.play("vst3", 100000000)
        assert class_text(CLASS_ID, windows=False) in printed

    def test_windows_prints_classes_as_guids_do(self) -> None:
        digits = bytes(range(16))
        assert class_text(digits, windows=False) == "000102030405060708090A0B0C0D0E0F"
        assert class_text(digits, windows=True) == "0302010005040706" + "08090A0B0C0D0E0F"

    def test_both_orders_are_written_around_the_same_state(self, tmp_path: Path) -> None:
        here, there = export(banded(), "vst3", tmp_path, name="hall")[0].files
        a, b = here.read_bytes(), there.read_bytes()
        assert (here.name, there.name) == ("hall.vstpreset", "hall.windows.vstpreset")
        assert a[8:40] != b[8:40]
        assert a[:8] + a[40:] == b[:8] + b[40:]
        assert state(banded()) in a

    @pytest.mark.parametrize("name", ["hall", 'Große "Halle"'])
    def test_lv2_validators_have_nothing_to_say(self, name: str, plugins: Path, tmp_path: Path) -> None:
        validator = shutil.which("lv2_validate")
        if validator is None:
            pytest.skip("lv2_validate is not installed (lilv-utils, sordi)")
        export(banded(), "lv2", tmp_path, name=name)
        files = [*(plugins / "fdnlearn-player.lv2").glob("*.ttl"), *tmp_path.rglob("*.ttl")]
        assert len(files) == 4
        done = subprocess.run([validator, *files], capture_output=True, text=True, check=False)
        assert "Found 0 errors" in done.stdout + done.stderr, done.stdout + done.stderr

    def test_provenance_stays_at_home(self, tmp_path: Path) -> None:
        fdn = FDN.model_validate(banded().model_dump() | {"provenance": {"target": "a secret place"}})
        for kind in KINDS:
            export(fdn, kind, tmp_path / kind)
            assert all(
                b"secret" not in path.read_bytes() for path in (tmp_path / kind).rglob("*") if path.is_file()
            )


class TestRefusals:
    def test_families_that_the_player_does_not_know(self, tmp_path: Path) -> None:
        with shelves_known(), pytest.raises(FdnlearnError, match="does not know the absorption family"):
            export(stereo(), "wav,vst3", tmp_path)
        assert not any(tmp_path.iterdir())

    def test_gains_beyond_single_precision(self, tmp_path: Path) -> None:
        loud = FDN.model_validate(banded().model_dump() | {"gain": 1e9})
        with pytest.raises(FdnlearnError, match="takes gains up to 1e\\+06"):
            export(loud, "clap", tmp_path)

    @pytest.mark.parametrize(
        ("lines", "channels", "complaint"), [(65, 1, "64 delay lines"), (4, 3, "2 outputs")]
    )
    def test_networks_that_are_too_large(
        self, lines: int, channels: int, complaint: str, tmp_path: Path
    ) -> None:
        with pytest.raises(FdnlearnError, match=complaint):
            export(network(lines, 1, channels), "lv2", tmp_path)


class TestFinding:
    def test_exporting_says_where_the_player_is(
        self, tmp_path: Path, plugins: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        save_fdn(banded(4), tmp_path / "fdn.json")
        outcome = run("export", tmp_path / "fdn.json", "--to", "vst3", "-o", tmp_path / "out")
        assert outcome.code == 0
        assert f"the player: {plugins / 'fdnlearn-player.vst3'}, version 1.1.0" in outcome.stdout
        monkeypatch.setenv("FDNLEARN_PLAYER", str(tmp_path))
        outcome = run("export", tmp_path / "fdn.json", "--to", "clap", "-o", tmp_path / "out", "--json")
        assert "is not installed" in json.loads(outcome.stdout)[0]["player"]
        assert f"make -C {source_folder()} install" in json.loads(outcome.stdout)[0]["player"]

    @pytest.mark.parametrize("version", ["0.9.0", "1.0.3", "2.0.0"])
    def test_another_version_is_refused(
        self, version: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "fdnlearn-player.clap").write_bytes(
            b"\x7fELF\0fdnlearn-player/" + version.encode() + b"\0"
        )
        monkeypatch.setenv("FDNLEARN_PLAYER", str(tmp_path))
        with pytest.raises(FdnlearnError, match=f"is version {version}, where 1.1 or a later 1.x is needed"):
            find_player("clap")

    def test_versions_of_both_sides_agree(self) -> None:
        header = (SOURCE / "core" / "version.hpp").read_text()
        assert f"PLAYER_MAJOR {VERSION[0]}\n" in header
        assert f"PLAYER_MINOR {VERSION[1]}\n" in header
        assert f'"fdnlearn-player/{VERSION[0]}.{VERSION[1]}.0"' in header

    def test_presets_of_the_same_fit_have_the_same_name_in_lv2(self, tmp_path: Path) -> None:
        first, again = (
            export(banded(), "lv2", tmp_path / folder, name="hall")[0].files[1] for folder in "ab"
        )
        assert first.read_bytes() == again.read_bytes()
        other = export(banded(seed=2), "lv2", tmp_path / "c", name="hall")[0].files[0]
        assert hashlib.sha256(other.read_bytes()).digest() != hashlib.sha256(first.read_bytes()).digest()
