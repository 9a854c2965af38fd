"""Soft echo density: a differentiable stand-in for the profile of Abel & Huang (AES 121, 2006)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from fdnlearn.base.jit import KERNEL_LOCK
from fdnlearn.model.tiling import filled_up
from fdnlearn.ops.echo import cpu as echo

WINDOW_S = 0.02


@dataclass(frozen=True, eq=False)
class EchoDensitySettings:
    """How the soft profile counts.

    Attributes
    ----------
    window : ndarray, shape (odd,)
        Symmetric Hann window of 20 ms that sums to one.
    steepness : ndarray, shape (frames,)
        Slope of the sigmoid, one value a frame.
    invariant : bool
        Whether the slope is relative to the local rms (then the level of the signal does not matter).
    hop : int
        Samples between frames.
    """

    window: Any
    steepness: Any
    invariant: bool
    hop: int


@dataclass(frozen=True, eq=False)
class EchoTarget:
    """Target profiles, and how those of responses are counted.

    Attributes
    ----------
    how : EchoDensitySettings
    profile : Tensor, shape (channels, frames)
    share : Tensor, shape (channels, frames), float64
        Weight of each frame in the mean; zero after the end of a channel that is shorter than others.
    """

    how: EchoDensitySettings
    profile: Tensor
    share: Tensor


def settings(
    length: int, sample_rate_hz: float, *, hop: int = 16, variant: str = "invariant"
) -> EchoDensitySettings:
    """Settings for responses of `length` samples.

    `variant` is ``"published"``, the sigmoid ``S(k_n (|h| - s_n))`` with k_n a ramp over the time index from 1e2 to
    1e5 (Mezza et al. 2024), which presumes a unit-norm response, or ``"invariant"``, ``S(30 (|h| / s_n - 1))``.
    """
    width = int(WINDOW_S * sample_rate_hz) | 1
    width = min(width, (length - 1) | 1) if length > 1 else 1
    window = np.hanning(width + 2)[1:-1]
    frames = max((length - width) // hop + 1, 1)
    if variant == "published":
        steepness = np.interp(np.arange(frames) * hop, [0, max(length - width, 1)], [1e2, 1e5])
    else:
        steepness = np.full(frames, 30.0)
    return EchoDensitySettings(window / window.sum(), steepness, variant != "published", hop)


def soft_echo_density(h: Tensor, how: EchoDensitySettings) -> Tensor:
    """Soft echo density profile (..., frames) of responses (..., n); valid frames only, not differentiable."""
    rows = np.ascontiguousarray(h.detach().cpu().numpy()).reshape(-1, h.shape[-1])
    dtype = rows.dtype
    eta = np.empty((rows.shape[0], how.steepness.shape[0]), dtype)
    with KERNEL_LOCK:
        echo.profile(rows, how.window.astype(dtype), how.steepness.astype(dtype), how.invariant, how.hop, eta)
    return torch.from_numpy(eta).reshape(*h.shape[:-1], -1)


class _Distance(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, h: Tensor, target: Tensor, share: Tensor, how: EchoDensitySettings) -> Tensor:
        rows = np.ascontiguousarray(h.detach().numpy()).reshape(-1, h.shape[-1])
        dtype = rows.dtype
        frames = how.steepness.shape[0]
        width, run = how.window.shape[0], -(-frames // echo.RUNS)
        errors = np.empty((rows.shape[0], echo.RUNS))
        span = run * how.hop + width
        partial = np.empty((rows.shape[0], echo.RUNS, span + 2 * echo.GUARD), dtype)
        goal = np.ascontiguousarray(target.numpy(), dtype).reshape(-1, frames)
        weight = np.ascontiguousarray(share.numpy(), np.float64).reshape(-1, frames)
        with KERNEL_LOCK:
            echo.distance(
                rows, how.window.astype(dtype), how.steepness.astype(dtype), how.invariant, how.hop,
                goal, weight, errors, partial,
            )  # fmt: skip
        grad = np.zeros((rows.shape[0], max(rows.shape[1], echo.RUNS * run * how.hop + width)), dtype)
        for part in range(echo.RUNS):
            origin = part * run * how.hop
            grad[:, origin : origin + span] += partial[:, part, echo.GUARD : echo.GUARD + span]
        ctx.grad, ctx.shape = torch.from_numpy(grad[:, : rows.shape[1]]), h.shape
        return torch.from_numpy(errors.sum(axis=1).astype(dtype)).reshape(h.shape[:-1])

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor | None, ...]:
        return (ctx.grad * grad.reshape(-1, 1)).reshape(ctx.shape), None, None, None


def echo_target(profile: Tensor, how: EchoDensitySettings) -> EchoTarget:
    """A target's profile (channels, frames), every frame of which counts alike."""
    return EchoTarget(how, profile, torch.full_like(profile, 1 / profile.shape[-1], dtype=torch.float64))


def stack(aims: Sequence[EchoTarget]) -> EchoTarget:
    """The channels of several aims one after the other, the shorter filled up with frames that do not count."""
    longest = max((aim.how for aim in aims), key=lambda how: how.steepness.size)
    profiles, shares = (filled_up(rows) for rows in ([a.profile for a in aims], [a.share for a in aims]))
    return EchoTarget(longest, torch.cat(profiles), torch.cat(shares))


def echo_density_distance(h: Tensor, aim: EchoTarget) -> Tensor:
    """Mean squared difference of soft profiles (L_EDP), (..., channels), of responses h (..., channels, n).

    Raises
    ------
    ValueError
        If the responses do not hold every frame.
    """
    how, target, share = aim.how, aim.profile, aim.share
    needed = (how.steepness.shape[0] - 1) * how.hop + how.window.shape[0]
    if h.shape[-1] < needed:
        raise ValueError(f"responses of {h.shape[-1]} samples are shorter than the {needed} of the profile")
    if h.device.type == "cuda":
        from fdnlearn.ops.echo import cuda as cuda_echo

        profile = cuda_echo.profile(h, *_on(how, h.device, h.dtype), how.invariant, how.hop)
        return _mean_square(profile, target, share)
    if h.device.type != "cpu":
        return _mean_square(_unfolded(h, how), target, share)
    if not h.requires_grad:  # the profile alone takes half the time
        return _mean_square(soft_echo_density(h, how), target, share)
    result: Tensor = _Distance.apply(h, target, share, how)  # type: ignore[no-untyped-call]
    return result


@functools.lru_cache(maxsize=2)
def _on(how: EchoDensitySettings, device: torch.device, dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Window and steepness, copied to a device once and not in every step."""
    return (
        torch.as_tensor(how.window).to(device, dtype),
        torch.as_tensor(how.steepness).to(device, dtype),
    )


def _mean_square(profile: Tensor, target: Tensor, share: Tensor) -> Tensor:
    return ((profile - target.to(profile)).square() * share.to(profile)).sum(-1)


def _unfolded(h: Tensor, how: EchoDensitySettings) -> Tensor:
    """The profile in stock operations: what other devices run, and what the fused loop is tested against."""
    window, steepness = _on(how, h.device, h.dtype)
    frames = h.unfold(-1, window.shape[0], how.hop)[..., : steepness.shape[0], :]
    sigma = ((frames.square() * window).sum(-1, keepdim=True) + 1e-20).sqrt()
    slope = steepness[:, None] / sigma if how.invariant else steepness[:, None]
    return echo.GAUSSIAN_NORM * (window * torch.sigmoid(slope * (frames.abs() - sigma))).sum(-1)
