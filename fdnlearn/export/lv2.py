"""``lv2``: a preset bundle for the player, for DAWs that load LV2 plugins."""

from __future__ import annotations

import hashlib
from pathlib import Path

from fdnlearn.base.files import write_text
from fdnlearn.export import player
from fdnlearn.export.network import ExportNetwork

PLUGIN_URI = "urn:fdnlearn:player"
#: Where the player keeps its fit.
FIT_URI = "urn:distrho:fit"

_MANIFEST = """\
@prefix lv2: <http://lv2plug.in/ns/lv2core#> .
@prefix pset: <http://lv2plug.in/ns/ext/presets#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .

<{uri}>
    a pset:Preset ;
    lv2:appliesTo <{plugin}> ;
    rdfs:seeAlso <preset.ttl> .
"""
_PRESET = """\
@prefix lv2: <http://lv2plug.in/ns/lv2core#> .
@prefix pset: <http://lv2plug.in/ns/ext/presets#> .
@prefix rdfs: <http://www.w3.org/2000/01/rdf-schema#> .
@prefix rdf: <http://www.w3.org/1999/02/22-rdf-syntax-ns#> .
@prefix state: <http://lv2plug.in/ns/ext/state#> .

<{key}>
    a rdf:Property ;
    rdfs:label "fit" ;
    rdfs:comment "A feedback delay network as JSON." .

<{uri}>
    a pset:Preset ;
    lv2:appliesTo <{plugin}> ;
    rdfs:label "{name}" ;
    lv2:port {ports} ;
    state:state [
        <{key}> "{fit}"
    ] .
"""


def preset_uri(network: ExportNetwork) -> str:
    """The same for the same fit under the same name, another for every other."""
    digest = hashlib.sha256(player.fit_text(network.fdn).encode()).hexdigest()
    return f"urn:fdnlearn:preset:{network.name}:{digest[:16]}"


def _write(network: ExportNetwork, folder: Path) -> list[str]:
    values = {
        "uri": preset_uri(network),
        "plugin": PLUGIN_URI,
        "name": network.name,
        "key": FIT_URI,
        "ports": " , ".join(
            f'[\n        lv2:symbol "{symbol}" ;\n        pset:value {value:.1f}\n    ]'
            for symbol, value in player.CONTROLS.items()
        ),
        "fit": player.fit_text(network.fdn).replace("\\", "\\\\").replace('"', '\\"'),
    }
    bundle = f"{network.name}.preset.lv2"
    (folder / bundle).mkdir()
    write_text(folder / bundle / "manifest.ttl", _MANIFEST.format(**values))
    write_text(folder / bundle / "preset.ttl", _PRESET.format(**values))
    return [f"{bundle}/manifest.ttl", f"{bundle}/preset.ttl"]


TARGET = player.preset_target(
    "lv2", "a small host on lilv", "preset bundle for the player plugin in LV2 hosts", _write
)
