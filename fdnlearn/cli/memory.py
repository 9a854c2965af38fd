"""Whether the libraries fit into a limit on memory, found out by a process that may fail at it.

Where an address space is limited (``ulimit -v``) and too small, libraries do not refuse to be loaded: some abort the
process, and OpenBLAS asks the system again for ever, in a place where no signal handler of Python's is reached.
"""

from __future__ import annotations

import subprocess
import sys

from fdnlearn.base.errors import FdnlearnError

#: What plays and measures networks needs, and what fits them.
RUNNING = "import numpy, scipy.linalg, scipy.signal, soundfile, numba"
LEARNING = f"{RUNNING}, torch"

#: What work takes beside the libraries, at least: compiled code, threads, arrays. And how long loading takes at most.
_ROOM_BYTES = 256 << 20
_PROCESSOR_S, _PATIENCE_S = 30, 300.0
_PROBE = """
import resource
resource.setrlimit(resource.RLIMIT_CPU, ({seconds}, {seconds}))
resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
{libraries}
a = numpy.ones((256, 256)) @ numpy.ones((256, 256))
room = numpy.empty({room}, numpy.uint8)
"""


def require_memory(libraries: str) -> None:
    """See that libraries can be loaded where this process has a limit on its memory; without one nothing is done.

    Parameters
    ----------
    libraries : str
        `RUNNING` or `LEARNING`.

    Raises
    ------
    FdnlearnError
        If they cannot.
    """
    limits = _limits()
    if not limits:
        return
    probe = _PROBE.format(seconds=_PROCESSOR_S, libraries=libraries, room=_ROOM_BYTES)
    try:
        done = subprocess.run(
            [sys.executable, "-c", probe],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=_PATIENCE_S,
            check=False,
        )
        fits = done.returncode == 0
    except subprocess.TimeoutExpired:
        fits = False
    if not fits:
        flag, limit = min(limits.items(), key=lambda one: one[1])
        raise FdnlearnError(
            "memory",
            f"limited to {limit / 1e9:.1f} GB (ulimit {flag}), where the numeric libraries do not fit in",
            f"raise the limit, or lift it with ulimit {flag} unlimited",
        )


def _limits() -> dict[str, int]:
    """Limits of this process in bytes, by the flag of ``ulimit`` that sets them."""
    try:
        import resource
    except ImportError:  # Windows
        return {}
    kinds = {"-v": resource.RLIMIT_AS, "-d": resource.RLIMIT_DATA}
    found = {flag: resource.getrlimit(kind)[0] for flag, kind in kinds.items()}
    return {flag: limit for flag, limit in found.items() if limit != resource.RLIM_INFINITY}
