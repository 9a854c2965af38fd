"""The response that exports write and are held to: rendered once for all of them."""

from __future__ import annotations

import numpy as np

from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.fdn import Realisation
from fdnlearn.render import BlockRenderer
from fdnlearn.render.offline import process_impulse, process_silence


class GrowingResponse:
    """Impulse responses from every input to every output, rendered as far as they were asked for.

    Who asks for more than was rendered has the rest rendered, from where it ended; nothing is rendered twice.

    Parameters
    ----------
    realisation : Realisation
    """

    def __init__(self, realisation: Realisation) -> None:
        inputs = realisation.input_gains.shape[1]
        self._renderers = [BlockRenderer(realisation) for _ in range(inputs)]
        self._response = np.empty((realisation.output_gains.shape[0], inputs, 0))

    @shapes_checked
    def first(self, samples: int) -> Float64[FloatArray, "outputs inputs samples"]:
        """The first `samples` in double precision, read-only."""
        rendered = self._response.shape[2]
        if samples > rendered:
            columns = [
                process_silence(renderer, samples - rendered)
                if rendered
                else process_impulse(renderer, k, samples)
                for k, renderer in enumerate(self._renderers)
            ]
            self._response = np.concatenate((self._response, np.stack(columns, axis=1)), axis=2)
            self._response.setflags(write=False)
        return self._response[:, :, :samples]
