"""What the page plays, rendered offline by the page's own code in a real browser, against independent computations."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyloudnorm
import pytest
from audition_room import DESK, PACK, UNPACK, FloatArray, Room, packed, samples, visiting
from playwright.sync_api import Browser, Page
from scipy import signal, stats

from fdnlearn.fdn import FDN, load_fdn
from fdnlearn.render import impulse_response

RATES_HZ = (44100, 48000, 88200, 96000)
FADE_S = 0.008


@pytest.fixture(scope="module")
def page(listening_room: Room, chromium: Browser) -> Iterator[Page]:
    """A blank page of the room's, from which its modules can be imported."""
    with visiting(chromium, listening_room, DESK, "room/web/page.html") as blank:
        yield blank


def render_graph(page: Page, rate: int, stems: FloatArray, script: str, seconds: float) -> FloatArray:
    """Build the player's graph over mono stems in an offline context, run `script` on it, render."""
    code = f"""async ([rate, stems, seconds]) => {{
      const {{ Graph }} = await import("/room/web/graph.js");
      {PACK} {UNPACK}
      const context = new OfflineAudioContext(1, Math.round(seconds * rate), rate);
      const made = unpack(stems).map((values, i) => {{
        const buffer = context.createBuffer(1, values.length, rate);
        buffer.copyToChannel(values, 0);
        return {{ key: `stem${{i}}`, buffer, gain: 1 }};
      }});
      const graph = new Graph(context, context.destination, made, null);
      graph.selected = "stem0";
      graph.settle(0, 0);
      {script}
      return pack(await context.startRendering());
    }}"""
    return samples(page.evaluate(code, [rate, packed(stems), seconds]))[0]


def db(x: FloatArray, reference: FloatArray) -> float:
    return float(20 * np.log10(np.max(np.abs(x)) / np.max(np.abs(reference)) + 1e-30))


@pytest.mark.parametrize("rate", RATES_HZ)
def test_switching_is_a_cross_fade_and_nothing_else(page: Page, rate: int) -> None:
    t = np.arange(rate) / rate
    stems = np.stack(
        [
            0.5 * np.sin(2 * np.pi * 443 * t),
            0.5 * np.sin(2 * np.pi * 331 * t + 1),
            0.4 * np.cos(2 * np.pi * 97 * t),
        ]
    )
    switches = [(0.2, 1), (0.35, 2), (0.354, 0), (0.6, 1)]  # the third while the second is still fading
    lines = "".join(f'graph.select("stem{to}", {at});' for at, to in switches)
    heard = render_graph(page, rate, stems, f"graph.start(0, 0, [0, 1], false); {lines}", 1.0)
    gains = np.zeros((3, rate))
    level = np.array([1.0, 0.0, 0.0])
    start, begin, goal = 0.0, level, level
    for at, to in [*switches, (1.0, 0)]:
        n = np.arange(int(np.ceil(start * rate - 1e-6)), int(np.ceil(at * rate - 1e-6)))
        part = np.clip((n / rate - start) / FADE_S, 0, 1)
        gains[:, n] = begin[:, None] + (goal - begin)[:, None] * part
        begin = begin + (goal - begin) * min(1.0, (at - start) / FADE_S)
        start, goal = at, np.eye(3)[to]
    expected = (gains * stems).sum(axis=0)
    assert db(heard - expected, expected) < -60
    # No sample stands out: what is above the stems' own band is the noise of single precision and the fade's corners.
    sos = signal.butter(8, 6000, "highpass", fs=rate, output="sos")
    assert db(signal.sosfilt(sos, heard)[round(0.05 * rate) : -round(0.05 * rate)], heard) < -60


def test_equal_stems_do_not_show_that_they_are_switched(page: Page) -> None:
    rate = 48000
    noise = np.random.default_rng(0).uniform(-0.5, 0.5, rate)
    lines = "".join(f'graph.select("stem{k % 2}", {0.05 + 0.03 * k});' for k in range(1, 25))
    heard = render_graph(
        page, rate, np.stack([noise, noise]), f"graph.start(0, 0, [0, 1], false); {lines}", 1.0
    )
    assert db(heard - noise, noise) < -100


@pytest.mark.parametrize("loop", [True, False])
def test_what_comes_in_while_it_plays_is_where_the_others_are(page: Page, loop: bool) -> None:
    """A stem with the samples of the one whose place it takes is not heard to come; another one fades in."""
    rate = 48000
    noise, other = np.random.default_rng(0).uniform(-0.5, 0.5, (2, rate))
    region = "[0.1, 0.35]" if loop else "[0.1, 1]"
    code = f"""const [first, same, other] = made;
      graph.become([first], "stem0", 0);
      graph.start(0.01, 0.05, {region}, {str(loop).lower()});
      graph.become([{{ ...same, key: "stem0" }}], "stem0", 0.4003);
      graph.become([{{ ...same, key: "stem0" }}, other], "stem2", 0.7);"""
    heard = render_graph(page, rate, np.stack([noise, noise, other]), code, 0.85)
    plain = f'graph.start(0.01, 0.05, {region}, {str(loop).lower()}); graph.select("stem1", 0.7);'
    expected = render_graph(page, rate, np.stack([noise, other]), plain, 0.85)
    assert np.max(np.abs(expected[round(0.75 * rate) :])) > 0.4
    assert db(heard - expected, expected) < -100


def test_stems_are_aligned_to_the_sample(page: Page) -> None:
    rate = 44100
    stems = np.zeros((3, 8000))
    stems[0, 1000], stems[1, 3000], stems[2, 5000] = 1.0, 0.9, 0.8
    lines = f'graph.select("stem1", {2000 / rate}); graph.select("stem2", {4000 / rate});'
    heard = render_graph(
        page, rate, stems, f"graph.start(0, 0, [0, {8000 / rate}], false); {lines}", 8000 / rate
    )
    assert np.flatnonzero(np.abs(heard) > 1e-3).tolist() == [1000, 3000, 5000]


def test_a_loop_closes_without_a_step(page: Page) -> None:
    rate, first, last = 48000, 4800, 9700
    t = np.arange(rate) / rate
    stem = 0.5 * np.sin(2 * np.pi * 101.3 * t + 0.4)
    heard = render_graph(
        page, rate, stem[None], f"graph.start(0, 0, [{first / rate}, {last / rate}], true);", 0.5
    )
    assert heard[: last - first - 500] == pytest.approx(stem[first : last - 500], abs=1e-6)
    slope = np.max(np.abs(np.diff(stem)))
    # A cross-fade of a sine with itself at another phase is at most as steep as both and the fade together.
    assert np.max(np.abs(np.diff(heard))) < slope + 1.0 / (FADE_S * rate)
    sos = signal.butter(8, 6000, "highpass", fs=rate, output="sos")
    assert db(signal.sosfilt(sos, heard)[2000:], heard) < -60


def test_the_mix_adds_the_dry_clip_to_the_others_alone(page: Page) -> None:
    rate = 48000
    code = """graph.dry = "stem0"; graph.selected = "stem1"; graph.wet = 0.25; graph.settle(0, 0);
      graph.start(0, 0, [0, 0.2], false); graph.select("stem0", 0.1);"""
    stems = np.stack([np.full(9600, 0.5), np.full(9600, -0.2)])
    heard = render_graph(page, rate, stems, code, 0.2)
    assert heard[2000] == pytest.approx(0.75 * 0.5 + 0.25 * -0.2, abs=1e-6)
    assert heard[-1000] == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("rate", RATES_HZ)
@pytest.mark.parametrize("channels", [(1, 1), (1, 2), (2, 1), (2, 2)])
def test_a_stem_is_the_convolution_of_clip_and_response(
    page: Page, rate: int, channels: tuple[int, int]
) -> None:
    rng = np.random.default_rng(1)
    clip = rng.standard_normal((channels[0], 3000)) * 0.1
    response = rng.standard_normal((channels[1], 2500)) * np.exp(-np.arange(2500) / 500) * 0.2
    code = f"""async ([rate, clip, response]) => {{
      const {{ convolve }} = await import("/room/web/stems.js");
      {PACK} {UNPACK}
      const make = (channels) => {{
        const [numberOfChannels, length] = [channels.length, channels[0].length];
        const buffer = new AudioBuffer({{ numberOfChannels, length, sampleRate: rate }});
        channels.forEach((values, c) => buffer.copyToChannel(values, c));
        return buffer;
      }};
      return pack(await convolve(make(unpack(clip)), make(unpack(response)), 5499));
    }}"""
    heard = samples(page.evaluate(code, [rate, packed(clip), packed(response)]))
    expected = np.stack(
        [
            np.convolve(clip[min(c, len(clip) - 1)], response[min(c, len(response) - 1)])
            for c in range(max(channels))
        ]
    )
    assert heard.shape == expected.shape
    assert db(heard - expected, expected) < -100


@pytest.mark.parametrize("rate", RATES_HZ)
def test_loudness_is_that_of_the_reference_implementation(page: Page, rate: int) -> None:
    rng = np.random.default_rng(2)
    t = np.arange(3 * rate) / rate
    quiet_then_loud = np.stack(
        [0.3 * np.sin(2 * np.pi * 997 * t), 0.05 * rng.standard_normal(t.size)]
    ) * np.where(t < 1, 0.01, 1)
    for channels in (quiet_then_loud[:1], quiet_then_loud):
        code = f"""async ([rate, channels]) => {{
          const {{ integratedLoudness }} = await import("/room/web/loudness.js");
          {UNPACK}
          return integratedLoudness(unpack(channels), rate);
        }}"""
        told = page.evaluate(code, [rate, packed(channels)])
        expected = pyloudnorm.Meter(rate, filter_class="DeMan").integrated_loudness(channels.T)
        assert told == pytest.approx(expected, abs=0.1)


def test_matching_makes_all_equally_loud_without_clipping(page: Page) -> None:
    stems = [
        {"key": "dry", "loudness": -18.0, "peak": 0.7},
        {"key": "room", "loudness": -42.0, "peak": 0.06},
        {"key": "gradient", "loudness": -39.0, "peak": 0.09},
        {"key": "silent", "loudness": None, "peak": 0.0},
    ]
    code = """async ([stems, matched]) => {
      const { playbackGains } = await import("/room/web/stems.js");
      return [...playbackGains(stems, matched)];
    }"""
    matched = dict(page.evaluate(code, [stems, True]))
    levels = [s["loudness"] + 20 * np.log10(matched[s["key"]]) for s in stems[:3]]
    assert np.ptp(levels) < 1e-9
    natural = dict(page.evaluate(code, [stems, False]))
    assert natural["gradient"] == natural["room"]
    assert natural["dry"] * 10 ** (-18 / 20) == pytest.approx(natural["room"] * 10 ** (-42 / 20))
    for gains in (matched, natural):
        assert max(gains[s["key"]] * s["peak"] for s in stems) <= 0.9401


@pytest.mark.parametrize("rate", [44100, 96000])
def test_the_anchor_is_a_low_pass_at_3_5_khz(page: Page, rate: int) -> None:
    taps = page.evaluate('async (rate) => [...(await import("/room/web/stems.js")).anchorFilter(rate)]', rate)
    hz, response = signal.freqz(taps, worN=1 << 15, fs=rate)
    level = 20 * np.log10(np.abs(response) + 1e-12)
    assert np.max(np.abs(level[hz <= 3500])) < 0.1
    assert np.max(level[hz >= 4000]) < -25
    assert np.max(level[hz >= 4500]) < -50
    assert np.allclose(taps, taps[::-1], atol=1e-7)


def test_the_anchor_is_not_late(page: Page) -> None:
    code = f"""async () => {{
      const {{ anchorOf }} = await import("/room/web/stems.js");
      {PACK}
      const buffer = new AudioBuffer({{ length: 5000, sampleRate: 48000 }});
      buffer.getChannelData(0)[2000] = 1;
      return pack(await anchorOf(buffer));
    }}"""
    heard = samples(page.evaluate(code))[0]
    assert heard.size == 5000
    assert int(np.argmax(heard)) == 2000


def test_p_values_are_those_of_the_binomial_test(page: Page) -> None:
    code = """async (cases) => {
      const { binomialP } = await import("/room/web/statistics.js");
      return cases.map(([k, n]) => binomialP(k, n));
    }"""
    cases = [(0, 5), (5, 5), (12, 16), (8, 16), (25, 25), (14, 25)]
    expected = [stats.binomtest(k, n, 0.5, alternative="greater").pvalue for k, n in cases]
    assert page.evaluate(code, cases) == pytest.approx(expected, rel=1e-9)


def test_chance_is_fair(page: Page) -> None:
    code = """async () => {
      const { chance, shuffled } = await import("/room/web/statistics.js");
      const counts = [0, 0, 0];
      for (let i = 0; i < 30000; ++i) counts[chance(3)] += 1;
      const orders = {};
      for (let i = 0; i < 6000; ++i) {
        const key = shuffled([1, 2, 3]).join("");
        orders[key] = (orders[key] ?? 0) + 1;
      }
      return [counts, Object.values(orders)];
    }"""
    counts, orders = page.evaluate(code)
    assert stats.chisquare(counts).pvalue > 1e-6
    assert len(orders) == 6
    assert stats.chisquare(orders).pvalue > 1e-6


def test_tables_are_csv_that_no_spreadsheet_executes(page: Page) -> None:
    code = 'async (rows) => (await import("/room/web/statistics.js")).csv(rows)'
    text = page.evaluate(code, [["clip", 'a "b", c'], ["=HYPERLINK(1)", -3], ["+1", None]])
    assert text == 'clip,"a ""b"", c"\r\n\'=HYPERLINK(1),-3\r\n\'+1,\r\n'


NETWORKS = ("mono_4", "bands_4", "stereo_4", "sparse_early_4")


@pytest.mark.parametrize("name", NETWORKS)
@pytest.mark.parametrize(("decay", "size"), [(1.0, 1.0), (1.6, 0.8)])
def test_the_page_runs_the_very_network(page: Page, name: str, decay: float, size: float) -> None:
    """The worklet, given what the server sends, against the reference renderer: the bar of the webaudio export."""
    from fdnlearn_audition.tweaking import network_of

    fdn = load_fdn(Path(__file__).parent.parent / "docs" / "testvectors" / f"{name}.json")
    rate = 48000
    heard = run_worklet(page, network_of(fdn, rate, decay, size), rate, 24000)
    expected = impulse_response(fdn, rate, length_s=0.5, decay=decay, size=size)
    assert db(heard[: len(expected)] - expected, expected) < -140


def test_early_and_late_add_up_and_stand_apart(page: Page) -> None:
    from fdnlearn_audition.tweaking import network_of

    fdn = load_fdn(Path(__file__).parent.parent / "docs" / "testvectors" / "sparse_early_4.json")
    data = network_of(fdn, 48000, 1.0, 1.0)
    early = run_worklet(page, data, 48000, 12000, late=0.0)
    late = run_worklet(page, data, 48000, 12000, early=0.0)
    both = run_worklet(page, data, 48000, 12000)
    assert db(early + late - both, both) < -130
    document = fdn.model_dump() | {"output_gains": np.zeros_like(fdn.arrays.output_gains).tolist()}
    expected = impulse_response(FDN.model_validate(document), 48000, length_s=0.25)
    assert db(early[: len(expected)] - expected, expected) < -130


def run_worklet(
    page: Page, network: dict, rate: int, length: int, early: float = 1.0, late: float = 1.0
) -> FloatArray:
    code = f"""async ([network, rate, length, early, late]) => {{
      const {{ networkNode }} = await import("/room/web/tweak.js");
      {PACK}
      const outputs = network.outputGains.length;
      const context = new OfflineAudioContext(outputs, length, rate);
      context.destination.channelInterpretation = "discrete";
      await context.audioWorklet.addModule("/room/worklet.js");
      const node = networkNode(context, JSON.parse(network));
      node.parameters.get("early").value = early;
      node.parameters.get("late").value = late;
      const impulse = context.createBuffer(1, 1, rate);
      impulse.getChannelData(0)[0] = 1;
      const source = new AudioBufferSourceNode(context, {{ buffer: impulse }});
      source.connect(node).connect(context.destination);
      source.start();
      return pack(await context.startRendering());
    }}""".replace("network.outputGains.length", "JSON.parse(network).outputGains.length")
    return samples(page.evaluate(code, [json.dumps(network), rate, length, early, late]))
