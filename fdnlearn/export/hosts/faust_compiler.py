"""The Faust export through ``faust -double`` and a C++ compiler."""

from __future__ import annotations

from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.export.hosts import HostJob, find, raw_doubles, run
from fdnlearn.export.text import filled

_BLOCK = 256

#: What Faust writes the program into: the two lines with ``<<`` are its own.
ARCHITECTURE = """\
#include <algorithm>
#include <cstdio>
#include <vector>
#define FAUSTFLOAT double
struct Meta { void declare(const char*, const char*) {} };
struct UI { void openVerticalBox(const char*) {} void closeBox() {} };
struct dsp { virtual ~dsp() {} };
<<includeIntrinsic>>
<<includeclass>>
int main()
{
    static mydsp room;
    const int inputs = room.getNumInputs(), outputs = room.getNumOutputs();
    room.init(@RATE@);
    std::vector<std::vector<double>> in(inputs, std::vector<double>(@BLOCK@)), out(outputs, in[0]);
    std::vector<double*> ins, outs;
    for (auto& channel : in) ins.push_back(channel.data());
    for (auto& channel : out) outs.push_back(channel.data());
    std::FILE* file = std::fopen("response.raw", "wb");
    if (!file) return 1;
    for (long done = 0; done < @SAMPLES@; done += @BLOCK@) {
        for (auto& channel : in) std::fill(channel.begin(), channel.end(), 0.0);
        if (done == 0) in[@INPUT@][0] = 1.0;
        room.compute(@BLOCK@, ins.data(), outs.data());
        for (int t = 0; t < @BLOCK@; ++t)
            for (auto& channel : out) std::fwrite(&channel[t], sizeof(double), 1, file);
    }
    return std::fclose(file);
}
"""


@shapes_checked
def render(job: HostJob) -> Float64[FloatArray, "outputs samples"]:
    """Translate, compile, run."""
    faust = find("faust", "apt-get install faust")
    compiler = find("g++", "install a C++ compiler", "clang++", "c++")
    values = {
        "RATE": job.network.sample_rate_hz,
        "BLOCK": _BLOCK,
        "SAMPLES": job.samples,
        "INPUT": job.input_index,
    }
    (job.scratch / "render.cpp").write_text(filled(ARCHITECTURE, values), encoding="utf-8")
    run(
        [faust, "-t", "0", "-lang", "cpp", "-double", "-a", "render.cpp", job.files[0], "-o", "main.cpp"],
        job.scratch,
    )
    run([compiler, "-std=c++17", "-O1", "main.cpp", "-o", "main"], job.scratch)
    run([job.scratch / "main"], job.scratch)
    return raw_doubles(job.scratch / "response.raw", job)
