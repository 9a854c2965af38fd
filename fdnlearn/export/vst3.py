"""``vst3``: a preset for the player, for DAWs that load VST3 plugins.

The container is Steinberg's: a header with the plugin's class, the chunk ``Comp`` (state of the component), and a list
that says where it lies. Hosts write a class as text in the order in which their platform
stores it, so there is a second file for Windows.
"""

from __future__ import annotations

import struct
from pathlib import Path

from fdnlearn.export import player
from fdnlearn.export.network import ExportNetwork

#: The player's class: 16 bytes as they lie in memory, DPF's mark and the plugin's own.
CLASS_ID = struct.pack("<4I", *(int.from_bytes(word) for word in (b"DPF ", b"clas", b"fdnP", b"\0\0\0\0")))
_HEADER_BYTES = 48


def class_text(class_id: bytes, *, windows: bool) -> str:
    """A class as 32 digits, in the order of Linux and macOS or in that of Windows (a COM GUID)."""
    if windows:
        class_id = class_id[3::-1] + class_id[5:3:-1] + class_id[7:5:-1] + class_id[8:]
    return class_id.hex().upper()


def preset(component: bytes, *, windows: bool) -> bytes:
    """A ``.vstpreset`` around the state of the component; the controller has none of its own, so no chunk either."""
    end = _HEADER_BYTES + len(component)
    header = b"VST3" + struct.pack("<i", 1) + class_text(CLASS_ID, windows=windows).encode()
    header += struct.pack("<q", end)
    entry = b"Comp" + struct.pack("<qq", _HEADER_BYTES, len(component))
    return header + component + b"List" + struct.pack("<i", 1) + entry


def _write(network: ExportNetwork, folder: Path) -> list[str]:
    state = player.state(network.fdn)
    names = [f"{network.name}.vstpreset", f"{network.name}.windows.vstpreset"]
    for name, windows in zip(names, (False, True), strict=True):
        (folder / name).write_bytes(preset(state, windows=windows))
    return names


TARGET = player.preset_target("vst3", "pedalboard", "preset for the player plugin in VST3 hosts", _write)
