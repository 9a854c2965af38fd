"""An encoder that hears a room and says which network sounds like it, trained through the network.

    python examples/encoder.py [--rooms 200] [--steps 200] [--seed 0]

A few convolutions read how the octaves of a response decay and give a reverberation time and a level for each; a
feedback delay network with these is compared with the room, and the gradient goes back through all of it. The rooms are
boxes drawn at random (`data/generate.py`), a fifth of them held out. At the end it prints by how much T30 of networks
differs from that of held-out rooms, beside the best that can be said without listening: the mean of all rooms trained
on. About 90 s of processor time; equal seeds give equal figures on one machine.
"""

from __future__ import annotations

import argparse
import dataclasses
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.signal
import torch
from torch import Tensor, nn

from fdnlearn import FeedbackDelayNetwork, NetworkTensors, network_response, room_parameters
from fdnlearn.layer import absorption, equaliser, random_network

RATE_HZ = 16000
OCTAVES_HZ = (125.0, 250.0, 500.0, 1000.0, 2000.0, 4000.0)
#: What is compared of a response: from where reflections are dense on, in windows of 32 ms every 10 ms.
START_S, LENGTH_S, WINDOW, HOP = 0.03, 1.06, 512, 160
DELAYS_SAMPLES = (223, 271, 331, 397, 449, 523, 607, 701)
#: Decays are compared as far down as this, where the noise of a measurement does not reach yet.
COMPARED_DB = -25.0
BATCH = 16


@dataclass(frozen=True)
class Rooms:
    """Responses (R, samples) from their direct sound on, and T30 (R, octaves) in seconds, NaN where there is none."""

    responses: Tensor
    t30_s: Tensor

    def __getitem__(self, which: slice) -> Rooms:
        return Rooms(self.responses[which], self.t30_s[which])


def draw_rooms(count: int, seed: int) -> Rooms:
    """Boxes of all sizes up to a lecture room's, with more or less absorption, mostly of highs."""
    sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "data"))
    from generate import FS, Box, impulse_response

    rng = np.random.default_rng(seed)
    samples = round(LENGTH_S * RATE_HZ)
    rows = []
    for index in range(count):
        size = rng.uniform((3.0, 2.5, 2.3), (11.0, 8.0, 4.0))
        slope = np.linspace(0.0, 1.0, 8) ** rng.uniform(0.5, 2.0)
        surfaces = []
        for _ in range(3):
            low, high = rng.uniform(0.05, 0.35), rng.uniform(0.1, 0.5)
            surfaces.append(tuple(np.clip(low + (high - low) * slope + rng.normal(0.0, 0.01, 8), 0.03, 0.9)))
        places = (tuple(rng.uniform(0.15, 0.4) * size), tuple(rng.uniform(0.6, 0.85) * size))
        room = Box("room", 1000 * seed + index, tuple(size), *places, *surfaces, duration_s=1.3)
        h = scipy.signal.resample_poly(impulse_response(room), 1, FS // RATE_HZ)
        direct = int(np.argmax(np.abs(h)))
        rows.append(h[direct : direct + samples])
    responses = np.stack(rows)
    return Rooms(torch.from_numpy(responses).float(), t30_of(responses))


def t30_of(responses: np.ndarray) -> Tensor:
    """T30 (R, octaves) by ISO 3382-1; NaN where noise or a short decay forbid it."""
    rows = []
    for h in responses.astype(np.float64):
        octave = room_parameters(h, RATE_HZ).octave
        bands = [octave[round(hz)] for hz in OCTAVES_HZ]
        rows.append([b.t30_s if b.t30_s and b.measurability["t30_s"].counts else np.nan for b in bands])
    return torch.tensor(rows)


def octave_bank() -> Tensor:
    """Gains (octaves, bins) that add up to one: raised cosines in log frequency, open at both ends."""
    octave = torch.log2(torch.linspace(0, RATE_HZ / 2, WINDOW // 2 + 1).clamp(min=1) / OCTAVES_HZ[0])
    octave = octave.clamp(0, len(OCTAVES_HZ) - 1)
    distance = (octave - torch.arange(len(OCTAVES_HZ))[:, None]).abs()
    return torch.where(distance < 1, torch.cos(torch.pi / 2 * distance) ** 2, 0.0)


def energies(responses: Tensor) -> Tensor:
    """Spectrograms (R, octaves, frames) of responses (R, samples), the values of each adding up to one."""
    late = responses[:, round(START_S * RATE_HZ) :]
    spectra = torch.stft(
        late, WINDOW, HOP, window=torch.hann_window(WINDOW), center=False, return_complex=True
    )
    energy = octave_bank() @ (spectra.real.square() + spectra.imag.square())
    return energy / energy.sum((1, 2), keepdim=True)


def decays_db(energy: Tensor) -> Tensor:
    """Energy decay curves, dB, of energies in frames."""
    return 10 * torch.log10(energy.flip(-1).cumsum(-1).flip(-1).clamp(min=1e-12))


class Encoder(nn.Module):
    """Reverberation times and levels of the octaves from the energies of a response."""

    def __init__(self) -> None:
        super().__init__()
        octaves, width = len(OCTAVES_HZ), 48
        self.hear = nn.Sequential(
            nn.Conv1d(octaves, width, 7, stride=2, padding=3),
            nn.ReLU(),
            nn.Conv1d(width, width, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Conv1d(width, width, 5, stride=2, padding=2),
            nn.ReLU(),
            nn.Flatten(),
            nn.LazyLinear(64),
            nn.ReLU(),
            nn.Linear(64, 2 * octaves),
        )

    def forward(self, energy: Tensor) -> tuple[Tensor, Tensor]:
        """Times (R, octaves) in seconds, around half a second, and levels (R, octaves) in dB."""
        level_db = 10 * torch.log10(energy.clamp(min=1e-10))
        times, levels = self.hear(1 + level_db / 40).chunk(2, dim=1)
        return 0.5 * torch.exp(times.clamp(-2.5, 2.5)), 20 * torch.tanh(levels)


def networks(plain: NetworkTensors, times_s: Tensor, levels_db: Tensor) -> NetworkTensors:
    """Networks, one a row, that have matrix, delays and gains in common."""
    gains, sos = absorption(times_s[:, None], plain.delays_samples, RATE_HZ, OCTAVES_HZ)
    tone = equaliser(levels_db, RATE_HZ, OCTAVES_HZ)
    return dataclasses.replace(plain, line_gains=gains, line_sos=sos, tone_sos=tone)


def train(rooms: Rooms, steps: int, seed: int) -> tuple[Encoder, NetworkTensors, list[float]]:
    """The trained encoder, what all its networks have in common, and the losses in dB."""
    torch.manual_seed(seed)
    with torch.no_grad():
        plain = FeedbackDelayNetwork(random_network(DELAYS_SAMPLES, RATE_HZ, seed=seed)).tensors()
    energy = energies(rooms.responses)
    aim = decays_db(energy)
    counted = (aim > aim[..., :1] + COMPARED_DB).float()
    encoder = Encoder()
    encoder(energy[:1])  # settles the size of the lazy layer
    adam = torch.optim.Adam(encoder.parameters(), 5e-3)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(adam, steps)
    losses = []
    for _ in range(steps):
        some = torch.randperm(len(energy))[:BATCH]
        h = network_response(networks(plain, *encoder(energy[some])), rooms.responses.shape[1])[:, 0, 0]
        apart = (decays_db(energies(h)) - aim[some]).abs() * counted[some]
        loss = apart.sum() / counted[some].sum()
        adam.zero_grad()
        loss.backward()
        adam.step()
        schedule.step()
        losses.append(loss.item())
    return encoder, plain, losses


def held_out_error(encoder: Encoder, plain: NetworkTensors, trained_on: Rooms, held_out: Rooms) -> Tensor:
    """Median relative error of T30 (2, octaves): of the encoder's networks, and of the mean of the rooms trained on."""
    with torch.no_grad():
        several = networks(plain, *encoder(energies(held_out.responses)))
        h = network_response(several, 2 * RATE_HZ)[:, 0, 0]
    mean_s = trained_on.t30_s.log().nanmean(0).exp()
    found = torch.stack((t30_of(h.numpy()), mean_s.expand_as(held_out.t30_s)))
    return (found / held_out.t30_s - 1).abs().nanmedian(dim=1).values


def main() -> None:
    """Train, and print the errors."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rooms", type=int, default=200)
    parser.add_argument("--steps", type=int, default=200)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    torch.set_num_threads(1)  # the loop shares its networks out to the cores itself
    rooms = draw_rooms(options.rooms, options.seed)
    first = options.rooms * 4 // 5
    encoder, plain, losses = train(rooms[:first], options.steps, options.seed)
    ten = max(1, len(losses) // 10)
    print(
        f"distance of decays: {np.mean(losses[:ten]):.2f} dB at first, {np.mean(losses[-ten:]):.2f} dB at last"
    )
    errors = 100 * held_out_error(encoder, plain, rooms[:first], rooms[first:])
    print(f"median error of T30 in {options.rooms - first} held-out rooms, per cent:")
    print(f"{'octave/Hz':<10}" + "".join(f"{hz:>8g}" for hz in OCTAVES_HZ) + f"{'mean':>8}")
    for name, row in zip(("encoder", "mean room"), errors, strict=True):
        print(f"{name:<10}" + "".join(f"{error:>8.1f}" for error in row) + f"{row.mean():>8.1f}")


if __name__ == "__main__":
    main()
