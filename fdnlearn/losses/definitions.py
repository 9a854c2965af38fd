"""The loss of every model: its terms and their weights; docs/tuning.md tells how these were found."""

from __future__ import annotations

from fdnlearn.losses.coherence import coherence_term
from fdnlearn.losses.colour import colour_term
from fdnlearn.losses.echo_density import echo_density_term
from fdnlearn.losses.energy_decay import energy_decay_term
from fdnlearn.losses.energy_relief import energy_relief_term
from fdnlearn.losses.octave_decay import octave_decay_term
from fdnlearn.losses.ringing import ringing_term
from fdnlearn.losses.terms import WeightedTerm

#: Energy decay and echo density, broadband.
HOMOGENEOUS = (
    WeightedTerm(energy_decay_term, {"edc": 0.5, "edc_db": 1.0, "attributes": 0.2}),
    WeightedTerm(echo_density_term, {"edp": 15.0}),
)

#: Energy decay per octave and broadband, echo density, colour, single lines that ring, and the likeness of channels.
BANDED = (
    WeightedTerm(octave_decay_term, {"edc": 0.5, "edc_db": 1.0, "attributes": 1.5}),
    WeightedTerm(echo_density_term, {"edp": 15.0}),
    WeightedTerm(energy_relief_term, {"relief": 0.3}),
    WeightedTerm(colour_term, {"colour": 1.0}),
    WeightedTerm(ringing_term, {"ringing": 0.3}),
    WeightedTerm(coherence_term, {"coherence": 2.0}),
)
