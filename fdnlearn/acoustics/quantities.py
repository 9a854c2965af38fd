"""What is measured of rooms: names, units and just-noticeable differences."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Quantity:
    """One room-acoustic quantity: its names in `metrics.json`, how it is written, what can be heard of it.

    Attributes
    ----------
    key : str
        Name under ``measurable``.
    symbol, title : str
        Short and full name.
    value_key, error_key : str
        Names under ``target`` and ``fitted``, and under ``error``.
    unit, error_unit : str
    decimals, error_decimals : int
    jnd : float or None
        Just-noticeable difference in `error_unit`; None where no standard names one.
    """

    key: str
    symbol: str
    title: str
    value_key: str
    error_key: str
    unit: str
    error_unit: str
    decimals: int
    error_decimals: int
    jnd: float | None


# fmt: off
#: ISO 3382-1:2009, table A.1 (EDT, C80, D50, Ts). By convention 5 % also for T20 and T30, and 1 dB also for C50.
JND_TABLE = (
    Quantity("t30", "T30", "Reverberation time, −5 to −35 dB", "t30_s", "t30_percent", "s", "%", 2, 1, 5.0),
    Quantity("t20", "T20", "Reverberation time, −5 to −25 dB", "t20_s", "t20_percent", "s", "%", 2, 1, 5.0),
    Quantity("edt", "EDT", "Early decay time, 0 to −10 dB", "edt_s", "edt_percent", "s", "%", 2, 1, 5.0),
    Quantity("c50", "C50", "Clarity, early to late energy at 50 ms", "c50_db", "c50_db", "dB", "dB", 1, 2, 1.0),
    Quantity("c80", "C80", "Clarity, early to late energy at 80 ms", "c80_db", "c80_db", "dB", "dB", 1, 2, 1.0),
    Quantity("d50", "D50", "Definition, share of energy before 50 ms", "d50_percent", "d50_pp", "%", "pp", 1, 1, 5.0),
    Quantity("ts", "Ts", "Centre time", "ts_ms", "ts_ms", "ms", "ms", 1, 1, 10.0),
    Quantity("drr", "DRR", "Direct-to-reverberant ratio, ±2.5 ms", "drr_db", "drr_db", "dB", "dB", 1, 2, None),
)
# fmt: on

#: Distances between whole curves: broadband only, errors only.
CURVE_ERRORS = (
    Quantity("edc", "EDC rms", "Distance between the energy decays", "", "edc_rms_db", "", "dB", 0, 2, None),
    Quantity("edp", "EDP rms", "Distance between the echo densities", "", "edp_rms", "", "", 0, 3, None),
)

#: Rms distance in echo density between two independent noises at 16 kHz: no fit can be expected below it.
ECHO_DENSITY_CHANCE_RMS = 0.10
