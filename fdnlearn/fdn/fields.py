"""Field types of the contract: strict finite numbers, bounded indices and delays, immutable arrays."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

#: Limits of the format (docs/format.md). They bound time and memory, not taste.
MAX_LINES = 1024
MAX_CHANNELS = 256
MAX_DELAY_SAMPLES = 2**22
#: Of all lines together, at any rate the network is realised at: half a gigabyte of delay memory in double.
MAX_TOTAL_DELAY_SAMPLES = 2**26
MAX_TAPS = 2**20
MAX_HEAD_SAMPLES = 2**16
MAX_PRE_DELAY_S = 10.0
MIN_SAMPLE_RATE_HZ = 1_000
MAX_SAMPLE_RATE_HZ = 768_000

# strict: "1.0" and true are not numbers
Number = Annotated[float, Field(strict=True, allow_inf_nan=False)]
Positive = Annotated[float, Field(strict=True, allow_inf_nan=False, gt=0.0)]
Integer = Annotated[int, Field(strict=True)]
Index = Annotated[int, Field(strict=True, ge=0, lt=MAX_LINES)]
SampleCount = Annotated[int, Field(strict=True, ge=0, le=MAX_DELAY_SAMPLES)]
Delay = Annotated[float, Field(strict=True, allow_inf_nan=False, ge=1.0, le=MAX_DELAY_SAMPLES)]
HeadPosition = Annotated[int, Field(strict=True, ge=0, lt=MAX_HEAD_SAMPLES)]
SampleRate = Annotated[int, Field(strict=True, ge=MIN_SAMPLE_RATE_HZ, le=MAX_SAMPLE_RATE_HZ)]
Vector = tuple[Number, ...]
Matrix = tuple[Vector, ...]


class Part(BaseModel):
    """Base of everything in the contract: frozen, no unknown fields."""

    model_config = ConfigDict(frozen=True, extra="forbid")
