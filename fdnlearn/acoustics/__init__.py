"""Room acoustics of a response: energy decay, ISO 3382 parameters, colour, echo density, ringing.

`echo_density`, `energy_decay`, `colour` and `ringing` are imported from their modules, which have the same names.
SciPy is imported by the functions that need it.
"""

from fdnlearn.acoustics.energy_decay import EnergyDecay, schroeder
from fdnlearn.acoustics.onset import find_direct, find_onset
from fdnlearn.acoustics.parameters import BandParameters, Measurability, RoomParameters, room_parameters

__all__ = [
    "BandParameters",
    "EnergyDecay",
    "Measurability",
    "RoomParameters",
    "find_direct",
    "find_onset",
    "room_parameters",
    "schroeder",
]
