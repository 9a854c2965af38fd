"""One fit's fixed half: target, model, loss, kernel and device, seen as a function of free parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import scipy.fft
import torch
from torch import Tensor

from fdnlearn.base.errors import UsageError
from fdnlearn.base.types import Float, shapes_checked
from fdnlearn.config import FitConfig
from fdnlearn.fdn import FDN, PerLineGain
from fdnlearn.fitting.progress import Progress
from fdnlearn.fitting.solution import Solution
from fdnlearn.losses.objective import Objective, objective_for, weights_of
from fdnlearn.losses.placing import on_device
from fdnlearn.model import Model, Network
from fdnlearn.model.network import TIME_DOMAIN
from fdnlearn.ops.compilation import ensure_compiled
from fdnlearn.ops.dispatch import form_name, get_form
from fdnlearn.options import Gradient, Homogeneous
from fdnlearn.registry import MODELS, load
from fdnlearn.rir.folding import folded
from fdnlearn.rir.target import Target

Free = dict[str, Tensor]

#: Bytes that a step on the CPU is meant to keep for its adjoint; one row is allowed in any case.
_STEP_BYTES = 200_000_000


@dataclass(frozen=True)
class Problem:
    """What is being minimised.

    Attributes
    ----------
    recording : Target
        What the fit is held against.
    target : Target
        What it is fitted to: the same, or for networks without a head what they can have of it.
    config : FitConfig
    model : Model
    objective : Objective
    kernel : str
        Form of `fdnlearn.ops.response`, or `TIME_DOMAIN`.
    device : torch.device
    n_fft : int
    """

    recording: Target
    target: Target
    config: FitConfig
    model: Model
    objective: Objective
    kernel: str
    device: torch.device
    n_fft: int

    @property
    def rows_at_once(self) -> int:
        """How many networks a step evaluates at the same time; the rest waits for the memory of these."""
        if self.kernel != TIME_DOMAIN:
            return 1 << 30  # of frequency sampling nothing is known to grow beyond what machines have
        # What every line held, before and halfway through its sections, and its adjoint; the loss holds signals too.
        held = 3 * self.model.lines + MODELS[self.config.model.name].held * len(self.target.samples)
        return max(1, _STEP_BYTES // (4 * self.n_fft * held))

    def with_lines(self, lines: int) -> Problem:
        """The same with another number of lines."""
        asked = replace(self.config, model=replace(self.config.model, lines=lines))
        model: Model = load(MODELS[asked.model.name].build)(self.target, asked.model)
        return replace(self, config=asked, model=model)

    @shapes_checked
    def responses(
        self,
        free: Mapping[str, Float[Tensor, "batch ..."]],
        delays_samples: Float[Tensor, "batch lines"] | None,
    ) -> Float[Tensor, "batch channels samples"]:
        """Impulse responses (B, channels, n_fft) of a batch of networks."""
        network = self.model.network(free, delays_samples)
        return network.impulse_response(self.n_fft, self.kernel).squeeze(2)

    @shapes_checked
    def loss(
        self,
        free: Mapping[str, Float[Tensor, "batch ..."]],
        delays_samples: Float[Tensor, "batch lines"] | None,
    ) -> tuple[Float[Tensor, " batch"], dict[str, Float[Tensor, " batch"]]]:
        """Loss (B,) and its terms; fixed `delays_samples` (B, N) replace the learned ones."""
        return self.objective(self.responses(free, delays_samples))

    def draw(self, starts: int, seed: int) -> Free:
        """Seeded random starts whose reverberant energy is the target's."""
        generator = torch.Generator().manual_seed(seed)
        direct = torch.from_numpy(self.target.samples[:, :1].astype("float32"))
        free = {k: v.to(self.device) for k, v in self.model.draw(generator, direct.abs(), starts).items()}
        with torch.no_grad():
            # Early taps, where a model has them, lie among the network's own echoes: neither counts them here.
            silent = {
                name: torch.zeros_like(x) if name in ("direct", "early") else x for name, x in free.items()
            }
            parts = [
                {name: x[first : first + self.rows_at_once] for name, x in silent.items()}
                for first in range(0, starts, self.rows_at_once)
            ]
            wet = torch.cat([self.responses(part, None).square().sum((1, 2)) for part in parts])
            apart = [free[name].square().sum((1, 2)) for name in ("direct", "early") if name in free]
            dry = torch.stack(apart).sum(0)
            wanted = (1 - dry).clamp_min(0.05)
            free["output"] *= (wanted / wet.clamp_min(1e-6)).sqrt()[:, None, None]
        return free

    @shapes_checked
    def network_to_fdn(
        self,
        free: Mapping[str, Float[Tensor, "batch ..."]],
        delays_samples: Float[Tensor, "batch lines"] | None,
    ) -> FDN:
        """The first network of a batch as the contract, computed in double."""
        double = {k: v[:1].detach().cpu().double() for k, v in free.items()}
        fixed = None if delays_samples is None else delays_samples[:1].detach().cpu().double()
        network = self.model.network(double, fixed)
        return self.to_fdn(network, **self.model.fdn_fields(double, network))

    def solution(self, fdn: FDN, history: tuple[Progress, ...], **rest: Any) -> Solution:
        """What a fit of this problem has come to; `rest` are the other fields of a `Solution`."""
        method = self.config.method
        if isinstance(method, Gradient) and history:
            terms = tuple(name for name in self.objective.weights if name in history[-1].terms)
            method = replace(method, loss_terms=terms)
        settled = replace(
            self.config,
            model=self.model.options,
            method=method,
            sample_rate_hz=self.target.sample_rate_hz,
            device=self.device.type,
            kernel=self.kernel,
        )
        return Solution(target=self.recording, config=settled, fdn=fdn, history=history, **rest)

    @property
    def _pre_delay_s(self) -> float:
        """What comes in the recording before that to which the network is fitted."""
        return (self.recording.direct_samples - self.target.direct_samples) / self.target.sample_rate_hz

    def to_fdn(self, network: Network, **fields: Any) -> FDN:
        """The first network of a batch as the contract; by default one gain a line is all its absorption."""
        document = {
            "sample_rate_hz": self.target.sample_rate_hz,
            "delays_samples": network.delays_samples[0].tolist(),
            "feedback_matrix": network.feedback_matrix[0].tolist(),
            "input_gains": network.input_gains[0].tolist(),
            "output_gains": network.output_gains[0].tolist(),
            "direct_gains": network.direct_gains[0].tolist(),
            "gain": float(self.target.gain),
            "polarity": int(self.target.polarity),
            # Where the recording has its direct sound, unless a head says so.
            "pre_delay_s": self._pre_delay_s,
            "absorption": PerLineGain(gains=tuple(network.loop_gain[0].tolist())),
        }
        return FDN.model_validate(document | fields)


def resolve_device(name: str) -> torch.device:
    """Turn the name of a device into one.

    ``auto`` is the GPU where there is one on which the kernels give what they give here, else the CPU.

    Raises
    ------
    UsageError
        If CUDA is asked for and there is none.
    """
    if name == "auto":
        return torch.device("cuda" if _gpu_is_trusted() else "cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda", "no CUDA device is available to torch", "use --device cpu")
    return torch.device(name)


def _gpu_is_trusted() -> bool:
    if not torch.cuda.is_available():
        return False
    try:
        from fdnlearn.ops.response.cuda import trusted
    except UsageError:  # no Triton
        return False
    return trusted()


def kernel_for(config: FitConfig) -> str:
    """Which way a fit computes responses: a form of `fdnlearn.ops.response`, or `TIME_DOMAIN`.

    Raises
    ------
    UsageError
        If the kernel or the device is unknown or not there.
    """
    device = resolve_device(config.device).type
    in_time = MODELS[config.model.name].in_time and device == "cpu"
    kernel = config.kernel or (TIME_DOMAIN if in_time else form_name("response", device))
    if kernel == TIME_DOMAIN:
        # There is nothing between two samples that could be learned.
        return TIME_DOMAIN if config.delays == "integer" else form_name("response", device)
    get_form("response", kernel)
    return kernel


def _weights(config: FitConfig) -> Mapping[str, float]:
    weights = weights_of(load(MODELS[config.model.name].loss))
    terms = config.method.loss_terms if isinstance(config.method, Gradient) else None
    if terms is None:
        return weights
    if unknown := set(terms) - set(weights):
        raise UsageError(f"loss term {min(unknown)}", "unknown", f"choose among {', '.join(weights)}")
    return {name: weight for name, weight in weights.items() if name in terms}


def _way(config: FitConfig, kernel: str) -> str:
    """Of `fdnlearn.ops.compilation.WAYS`: what is to be compiled for such a fit."""
    if kernel == TIME_DOMAIN:
        return "in time"
    return "plain" if config.model.name == Homogeneous.name else "filtered"


def problem_for(recording: Target, config: FitConfig) -> Problem:
    """Put together what `config` asks for.

    Raises
    ------
    UsageError
        If a term of the loss is unknown, or the device is not there.
    """
    definition = MODELS[config.model.name]
    target = recording if definition.head else folded(recording)
    device = resolve_device(config.device)
    kernel = kernel_for(config)
    if device.type == "cpu":
        ensure_compiled(_way(config, kernel))
    fs = target.sample_rate_hz
    model: Model = load(definition.build)(target, config.model)
    loss = objective_for(target, load(definition.loss), _weights(config))
    needed = max(target.length_samples, math.ceil(target.reverberation_time_s * fs), loss.length_samples)
    n_fft = scipy.fft.next_fast_len(math.ceil(definition.decays * needed) + 64, real=True)
    return Problem(recording, target, config, model, on_device(loss, device), kernel, device, n_fft)
