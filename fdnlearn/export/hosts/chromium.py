"""The AudioWorklet module in headless Chromium: a page renders offline and posts the samples back."""

from __future__ import annotations

import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Empty, Queue

import numpy as np

from fdnlearn.base.errors import FdnlearnError
from fdnlearn.base.types import Float64, FloatArray, shapes_checked
from fdnlearn.export.hosts import TIMEOUT_S, HostJob, find, shaped
from fdnlearn.export.text import filled

PAGE = """\
<!doctype html><meta charset="utf-8"><script type="module">
const post = (where, body) => fetch(where, { method: "POST", body });
try {
  const context = new OfflineAudioContext(@OUTPUTS@, @SAMPLES@, @RATE@);
  context.destination.channelInterpretation = "discrete";
  await context.audioWorklet.addModule("module.js");
  const room = new AudioWorkletNode(context, "@NAME@", {
    numberOfInputs: 1, numberOfOutputs: 1, outputChannelCount: [@OUTPUTS@],
    channelCount: @INPUTS@, channelCountMode: "explicit", channelInterpretation: "discrete",
  });
  room.onprocessorerror = () => post("error", "the processor failed");
  const impulse = context.createBuffer(@INPUTS@, 1, @RATE@);
  impulse.getChannelData(@INPUT@)[0] = 1;
  const source = new AudioBufferSourceNode(context, { buffer: impulse });
  source.connect(room).connect(context.destination);
  source.start();
  const rendered = await context.startRendering();
  const samples = new Float32Array(@OUTPUTS@ * @SAMPLES@);
  for (let o = 0; o < @OUTPUTS@; ++o) samples.set(rendered.getChannelData(o), o * @SAMPLES@);
  await post("response", samples);
} catch (error) {
  await post("error", String(error));
}
</script>
"""


@shapes_checked
def render(job: HostJob) -> Float64[FloatArray, "outputs samples"]:
    """Serve the module to a browser on this machine and wait for its answer."""
    browser = find("chromium", "apt-get install chromium", "chromium-browser", "google-chrome")
    network = job.network
    values = {
        "NAME": network.name,
        "RATE": network.sample_rate_hz,
        "INPUTS": network.inputs,
        "OUTPUTS": network.outputs,
        "SAMPLES": job.samples,
        "INPUT": job.input_index,
    }
    served = {
        "/": ("text/html", filled(PAGE, values).encode()),
        "/module.js": ("text/javascript", job.files[0].read_bytes()),
    }
    answers: Queue[tuple[str, bytes]] = Queue()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            kind, body = served.get(self.path, ("text/plain", b""))
            self._answer(200 if self.path in served else 404, kind, body)

        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            self._answer(200, "text/plain", b"")
            answers.put((self.path, body))

        def log_message(self, format: str, *args: object) -> None:
            """Say nothing."""

        def _answer(self, status: int, kind: str, body: bytes) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        command = [
            browser,
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--disable-dev-shm-usage",
            "--no-first-run",
            f"--user-data-dir={job.scratch / 'profile'}",
            f"http://127.0.0.1:{server.server_port}/",
        ]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            what, body = answers.get(timeout=TIMEOUT_S)
        except Empty:
            raise FdnlearnError("chromium", "gave no answer", "check it by hand") from None
        finally:
            process.terminate()
            process.wait()
            server.shutdown()
            thread.join()
    if what != "/response":
        raise FdnlearnError("chromium", body.decode(errors="replace"), "check it by hand")
    samples = np.frombuffer(body, dtype="<f4").astype(np.float64)
    return shaped(samples.reshape(network.outputs, -1), job)
