"""The Pure Data export, run by ``pd -batch``: a patch plays an impulse through it and writes what it heard."""

from __future__ import annotations

from pathlib import Path

from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.export.hosts import HostJob, find, recorded, run


def _patch(job: HostJob) -> str:
    """Tables in, the abstraction, tables out; saved as soon as as much time has passed."""
    network, samples = job.network, job.samples
    lines = ["#N canvas 0 0 600 400 12;"]
    cables: list[str] = []

    def add(text: str, kind: str = "obj") -> int:
        lines.append(f"#X {kind} 10 {20 * len(lines)} {text};")
        return len(lines) - 2

    def connect(source: int, outlet: int, target: int, inlet: int) -> None:
        cables.append(f"#X connect {source} {outlet} {target} {inlet};")

    outputs = range(network.outputs)
    room = add(job.files[0].stem)
    player = add("tabplay~ impulse")
    connect(player, 0, room, job.input_index)
    recorders = [add(f"tabwrite~ response{o}") for o in outputs]
    for o in outputs:
        connect(room, o, recorders[o], 0)
    add("table impulse 64")
    for o in outputs:
        add(f"table response{o} {samples}")
    start, order = add("loadbang"), add("t b b b")
    connect(start, 0, order, 0)
    prepare = add("\\; impulse 0 1 \\; pd dsp 1", "msg")
    connect(order, 2, prepare, 0)
    wait, together = add("del 20"), add("t b b")
    connect(order, 1, wait, 0)
    connect(wait, 0, together, 0)
    connect(together, 0, player, 0)
    for recorder in recorders:
        connect(together, 1, recorder, 0)
    end, finish = add(f"del {1000 * samples / network.sample_rate_hz + 200:.0f}"), add("t b b")
    connect(order, 0, end, 0)
    connect(end, 0, finish, 0)
    tables = " ".join(f"response{o}" for o in outputs)
    save, filer = add(f"write -wave -bytes 4 response.wav {tables}", "msg"), add("soundfiler")
    connect(finish, 1, save, 0)
    connect(save, 0, filer, 0)
    stop = add("\\; pd quit", "msg")
    connect(finish, 0, stop, 0)
    return "\n".join((*lines, *cables)) + "\n"


@shapes_checked
def render(job: HostJob) -> Float64[FloatArray, "outputs samples"]:
    """Run the patch without sound hardware, as fast as it goes."""
    pd = find("pd", "apt-get install puredata-core")
    (job.scratch / "render.pd").write_text(_patch(job), encoding="utf-8")
    rate = str(job.network.sample_rate_hz)
    command: list[str | Path] = [
        pd,
        "-nogui",
        "-batch",
        "-noprefs",
        "-nosound",
        "-r",
        rate,
        "-path",
        job.files[0].parent,
    ]
    run([*command, "render.pd"], job.scratch)
    return recorded(job.scratch / "response.wav", job)
