"""Refuse to ship on a runtime dependency whose licence would bind the users of an MIT package.

Walks what an installed `fdnlearn` needs at run time (no extras), with what those need in turn, and reads the
licence each declares: no GPL, no AGPL, nothing unknown; LGPL and the like only where listed below with a reason.
"""

from __future__ import annotations

import re
import sys
from collections import deque
from importlib.metadata import Distribution, PackageNotFoundError, distribution

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = "fdnlearn"
#: Distribution -> why its copyleft licence is acceptable.
ACCEPTED: dict[str, str] = {}

COPYLEFT = re.compile(
    r"\b(A|L)?GPL|GNU (Affero |Lesser )?General Public|Lesser General Public", re.IGNORECASE
)
#: GPL with GCC's run-time exception does not reach the program that uses the library.
HARMLESS = re.compile(r"GPL-3\.0[-\w]* WITH GCC-exception-3\.1", re.IGNORECASE)


def closure(root: str) -> dict[str, Distribution]:
    """Everything that `root` needs at run time on this machine, by canonical name."""
    found: dict[str, Distribution] = {}
    queue: deque[tuple[str, frozenset[str]]] = deque([(root, frozenset())])
    seen: set[tuple[str, frozenset[str]]] = set()
    while queue:
        name, extras = queue.popleft()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        try:
            found[name] = distribution(name)
        except PackageNotFoundError:
            sys.exit(f"{name} is required but not installed")
        for line in found[name].requires or ():
            requirement = Requirement(line)
            environments = [{"extra": extra} for extra in (extras or {""})]
            if requirement.marker is None or any(requirement.marker.evaluate(e) for e in environments):
                queue.append((canonicalize_name(requirement.name), frozenset(requirement.extras)))
    return found


def declared_licence(package: Distribution) -> str:
    """The SPDX expression, else the classifiers, else the first line of the free-text field."""
    metadata = package.metadata
    if expression := metadata.get("License-Expression"):
        return expression
    classifiers = [
        line.rsplit("::", 1)[-1].strip()
        for line in metadata.get_all("Classifier") or ()
        if line.startswith("License ::") and not line.endswith("OSI Approved")
    ]
    text = (metadata.get("License") or "").strip()
    return ", ".join(classifiers) or (text.splitlines()[0] if text else "")


def main() -> int:
    """Print the table; return how many packages are refused."""
    refused = 0
    for name, package in sorted(closure(ROOT).items()):
        licence = declared_licence(package)
        acceptable = bool(licence) and not COPYLEFT.search(HARMLESS.sub("", licence))
        if acceptable or name in ACCEPTED:
            note = ""
        else:
            note, refused = "  <- REFUSED", refused + 1
        print(f"{name:28} {package.version:14} {licence[:70] or 'unknown'}{note}")
    if refused:
        print(
            f"{refused} refused: replace them, or list them in {sys.argv[0]} with a reason", file=sys.stderr
        )
    return min(refused, 1)


if __name__ == "__main__":
    sys.exit(main())
