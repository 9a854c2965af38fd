"""The C export, compiled strictly and run."""

from __future__ import annotations

from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.export.hosts import HostJob, find, raw_doubles, run
from fdnlearn.export.text import filled

#: Warnings are errors.
STRICT = ("-std=c99", "-O2", "-Wall", "-Wextra", "-Wpedantic", "-Werror")
#: Frames of a block: an odd number, so that nothing fits by chance.
BLOCK = 441

PROGRAM = """\
#include <stdio.h>
#include "@HEADER@"

static @NAME@_state the_room;

int main(void)
{
    static FDN_SAMPLE block[@CHANNELS@][@BLOCK@];
    const FDN_SAMPLE *in[@INPUTS@];
    FDN_SAMPLE *out[@OUTPUTS@];
    FILE *file = fopen("response.raw", "wb");
    if (!file)
        return 1;
    for (int k = 0; k < @INPUTS@; ++k)
        in[k] = block[k];
    for (int o = 0; o < @OUTPUTS@; ++o)
        out[o] = block[o];
    @NAME@_reset(&the_room);
    for (long done = 0; done < @SAMPLES@; done += @BLOCK@) {
        for (int c = 0; c < @CHANNELS@; ++c)
            for (int t = 0; t < @BLOCK@; ++t)
                block[c][t] = 0;
        if (done == 0)
            block[@INPUT@][0] = 1;
        @NAME@_process(&the_room, in, out, @BLOCK@);
        for (int t = 0; t < @BLOCK@; ++t)
            for (int o = 0; o < @OUTPUTS@; ++o) {
                const double y = (double)out[o][t];
                fwrite(&y, sizeof y, 1, file);
            }
    }
    return fclose(file);
}
"""


@shapes_checked
def render(
    job: HostJob, sample: str = "float", flags: tuple[str, ...] = ()
) -> Float64[FloatArray, "outputs samples"]:
    """Compile a program around the header and run it.

    Parameters
    ----------
    job : HostJob
    sample : str
        Type of audio and delay lines.
    flags : tuple of str
        For the compiler.
    """
    compiler = find("gcc", "install gcc or clang", "clang", "cc")
    network, header = job.network, job.files[0]
    values = {
        "HEADER": header.name,
        "NAME": network.name,
        "INPUTS": network.inputs,
        "OUTPUTS": network.outputs,
        "CHANNELS": max(network.inputs, network.outputs),
        "BLOCK": BLOCK,
        "SAMPLES": job.samples,
        "INPUT": job.input_index,
    }
    (job.scratch / "main.c").write_text(filled(PROGRAM, values), encoding="utf-8")
    define = f"-DFDN_SAMPLE={sample}"
    run([compiler, *STRICT, define, *flags, "-I", header.parent, "main.c", "-o", "main"], job.scratch)
    run([job.scratch / "main"], job.scratch)
    return raw_doubles(job.scratch / "response.raw", job)
