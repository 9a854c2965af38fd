"""Which form of an operation runs: the one table of what there is, and the way from a device or a name to a module."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Any

from fdnlearn.base.errors import UsageError

REFERENCE = "reference"

#: Operation -> its forms, each ``fdnlearn.ops.<operation>.<form>``.
FORMS: Mapping[str, tuple[str, ...]] = {
    "adam": (REFERENCE, "cpu", "cuda"),
    "colour": (REFERENCE, "cpu"),
    "decay": (REFERENCE, "cpu", "cuda"),
    "echo": (REFERENCE, "cpu", "cuda"),
    "filters": (REFERENCE, "cpu", "cuda"),
    "fourier": (REFERENCE, "cpu"),
    "octaves": (REFERENCE, "cpu"),
    "relief": (REFERENCE, "cpu"),
    "response": (REFERENCE, "cpu", "cuda"),
    "ringing": (REFERENCE, "cpu"),
    "rotation": (REFERENCE, "cpu"),
    "time_domain": (REFERENCE, "cpu"),
}

#: Type of a torch device -> the form that is made for it. Other devices run the reference, and so do these where an
#: operation has no such form.
DEVICE_FORMS: Mapping[str, str] = {"cpu": "cpu", "cuda": "cuda"}


def form_name(operation: str, device_type: str) -> str:
    """Name of the form in which an operation runs on a type of device."""
    name = DEVICE_FORMS.get(device_type, REFERENCE)
    return name if name in FORMS[operation] else REFERENCE


def get_form(operation: str, name: str) -> Any:
    """The module that holds the form of an operation called `name`.

    Raises
    ------
    UsageError
        If there is no such form, or what it runs on is not installed.
    """
    if name not in FORMS[operation]:
        raise UsageError(f"kernel {name!r}", "unknown", f"choose one of {', '.join(FORMS[operation])}")
    return import_module(f"fdnlearn.ops.{operation}.{name}")


def form_for(operation: str, device_type: str) -> Any:
    """The module in which an operation runs on a type of device."""
    return get_form(operation, form_name(operation, device_type))
