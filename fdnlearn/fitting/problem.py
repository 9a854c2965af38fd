"""One fit's fixed half: target, model, loss, kernel and device, seen as a function of free parameters."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import scipy.fft
import torch
from torch import Tensor

from fdnlearn.errors import UsageError
from fdnlearn.fdn import FDN
from fdnlearn.fitting.compilation import ensure_compiled
from fdnlearn.fitting.result import FitConfig
from fdnlearn.kernels import Kernel, get_kernel, kernel_for
from fdnlearn.losses.objective import WEIGHTS, Objective, objective_for
from fdnlearn.model import MODELS, Model, Network
from fdnlearn.rir.target import Target

Free = dict[str, Tensor]

#: A response is computed over this many reverberation times, so that its folded tail is 75 dB down.
_RESPONSE_DECAYS = 1.25


@dataclass(frozen=True)
class Problem:
    """What is being minimised.

    Attributes
    ----------
    target : Target
    config : FitConfig
    model : Model
    objective : Objective
    kernel : Kernel
    device : torch.device
    n_fft : int
    """

    target: Target
    config: FitConfig
    model: Model
    objective: Objective
    kernel: Kernel
    device: torch.device
    n_fft: int

    def responses(self, free: Mapping[str, Tensor], delays_samples: Tensor | None) -> Tensor:
        """Impulse responses (B, channels, n_fft) of a batch of networks."""
        network = self.model.network(free, delays_samples)
        return network.impulse_response(self.n_fft, self.kernel).squeeze(2)

    def loss(
        self, free: Mapping[str, Tensor], delays_samples: Tensor | None
    ) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss (B,) and its terms; fixed `delays_samples` (B, N) replace the learned ones."""
        return self.objective(self.responses(free, delays_samples))

    def draw(self, starts: int, seed: int) -> Free:
        """Seeded random starts whose reverberant energy is the target's."""
        generator = torch.Generator().manual_seed(seed)
        direct = torch.from_numpy(self.target.samples[:, :1].astype("float32"))
        free = {k: v.to(self.device) for k, v in self.model.draw(generator, direct.abs(), starts).items()}
        with torch.no_grad():
            dry = free["direct"].square().sum((1, 2))
            wet = self.responses(free, None).square().sum((1, 2)) - dry
            wanted = (1 - dry).clamp_min(0.05)
            free["output"] *= (wanted / wet.clamp_min(1e-6)).sqrt()[:, None, None]
        return free

    def network_to_fdn(self, free: Mapping[str, Tensor], delays_samples: Tensor | None) -> FDN:
        """The first network of a batch as the contract, computed in double."""
        double = {k: v[:1].detach().cpu().double() for k, v in free.items()}
        fixed = None if delays_samples is None else delays_samples[:1].detach().cpu().double()
        return self.to_fdn(self.model.network(double, fixed))

    def to_fdn(self, network: Network) -> FDN:
        """The first network of a batch as the contract."""
        return FDN.from_arrays(
            sample_rate_hz=self.target.sample_rate_hz,
            delays=network.delays_samples[0].numpy(),
            feedback_matrix=network.feedback_matrix[0].numpy(),
            input_gains=network.input_gains[0].numpy(),
            output_gains=network.output_gains[0].numpy(),
            direct_gains=network.direct_gains[0].numpy(),
            line_gains=network.loop_gain[0].numpy(),
            gain=self.target.gain,
            polarity=self.target.polarity,
        )


def resolve_device(name: str) -> torch.device:
    """Turn the name of a device into one.

    ``auto`` is the CPU: its own kernel beats stock batched solves on a GPU for a single room.

    Raises
    ------
    UsageError
        If CUDA is asked for and there is none.
    """
    if name == "auto":
        return torch.device("cpu")
    if name == "cuda" and not torch.cuda.is_available():
        raise UsageError("--device cuda", "no CUDA device is available to torch", "use --device cpu")
    return torch.device(name)


def _weights(config: FitConfig) -> Mapping[str, float]:
    if config.loss_terms is None:
        return WEIGHTS
    if unknown := set(config.loss_terms) - set(WEIGHTS):
        raise UsageError(f"loss term {min(unknown)}", "unknown", f"choose among {', '.join(WEIGHTS)}")
    return {name: weight for name, weight in WEIGHTS.items() if name in config.loss_terms}


def problem_for(target: Target, config: FitConfig) -> Problem:
    """Put together what `config` asks for.

    Raises
    ------
    UsageError
        If the model or a term of the loss is unknown, or the device is not there.
    """
    if config.model not in MODELS:
        raise UsageError(f"--model {config.model}", "unknown model", f"choose one of {', '.join(MODELS)}")
    device = resolve_device(config.device)
    if device.type == "cpu":
        ensure_compiled()
    fs = target.sample_rate_hz
    model = MODELS[config.model](
        sample_rate_hz=float(fs),
        reverberation_time_s=target.reverberation_time_s,
        lines=config.lines,
        inputs=1,
        outputs=target.samples.shape[0],
    )
    wanted = max(target.length_samples, math.ceil(target.reverberation_time_s * fs))
    n_fft = scipy.fft.next_fast_len(math.ceil(_RESPONSE_DECAYS * wanted) + 64, real=True)
    kernel = get_kernel(config.kernel) if config.kernel else kernel_for(device.type)
    return Problem(target, config, model, objective_for(target, _weights(config)), kernel, device, n_fft)
