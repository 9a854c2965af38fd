// Fit: a recording comes in and is described, settings, live curves, stop and resume.

import { Chart, logTicks, ticks } from "./chart.js";
import { announce, choice, complaint, field, h, seconds, toggle } from "./dom.js";
import { ask, send } from "./server.js";

const STAGES = { waiting: "Waiting", starting: "Starting", fitting: "Fitting", writing: "Measuring", done: "Done", failed: "Failed", cancelled: "Cancelled" };

export function fitPanel(panel, store, trigger) {
  const offer = store.offer;
  const recording = recordingCard(store);
  const settings = settingsCard(store);
  const charts = liveCharts();
  const trouble = complaint();

  const go = h("button.primary", { type: "button", id: "go", onclick: start }, "Fit");
  const stop = h("button", { type: "button", id: "stop", onclick: halt, disabled: true }, "Stop, keep the best");
  const again = h("button", { type: "button", id: "resume", onclick: resume, hidden: true }, "Resume");
  const state = h("strong", { id: "fit-state" }, "Ready");
  const detail = h("span", { id: "fit-detail" }, "Choose a recording, then fit.");
  const bar = h("progress", { max: 1, value: 0, "aria-label": "Progress of the fit" });

  panel.append(
    h("div.bench", {},
      h("div.controls", {}, recording.element, settings.element),
      h("div.scope", {},
        h("div.card.run", {},
          h("div.row", {}, go, stop, again, h("p.state", {}, state, detail)),
          bar, trouble.element),
        charts.element)),
  );

  recording.onready = () => {
    charts.room(store.recording.curves);
    announce(`${store.recording.name} is ready to fit`);
  };

  function start() {
    trouble.say(null);
    if (!store.recording) return trouble.say("There is no recording yet; upload one or choose an example");
    begin();
    trigger("fit", settings.values());
  }

  function resume() {
    begin();
    trigger("resume", {});
  }

  function begin() {
    trouble.say(null);
    go.disabled = true;
    again.hidden = true;
    stop.disabled = false;
    bar.removeAttribute("value");
    charts.begin();
    show("Queueing", "");
  }

  function halt() {
    stop.disabled = true;
    show("Stopping", "keeping the best network so far");
    ask("stop").catch((error) => trouble.say(error.message));
  }

  function show(word, text) {
    state.textContent = word;
    detail.textContent = text;
  }

  store.on("news", (news) => {
    if (news.room) charts.room(news.room.curves);
    const progress = news.progress;
    if (progress) {
      charts.progress(progress);
      bar.value = progress.iteration / progress.total;
    }
    const word = news.stopping && news.state !== "done" && news.state !== "cancelled" ? "Stopping" : STAGES[news.state];
    const texts = {
      waiting: () => (news.place === 1 ? "next in the queue" : `number ${news.place} in the queue`),
      starting: () => "reading the recording, loading the solver",
      fitting: () => line(progress),
      writing: () => `${line(progress, false)}; rendering and measuring`,
      done: () => line(progress, false),
      failed: () => "",
      cancelled: () => "nothing was kept",
    };
    show(word, texts[news.state]?.() ?? "");
    if (["done", "failed", "cancelled"].includes(news.state)) finish(news);
  });

  function line(progress, left = true) {
    if (!progress) return "";
    const rest = left && progress.left_s !== null ? `, about ${seconds(progress.left_s)} left` : "";
    return `${progress.stage}, iteration ${progress.iteration} of ${progress.total}, loss ${progress.loss?.toPrecision(3) ?? "–"}${rest}`;
  }

  function finish(news) {
    go.disabled = false;
    stop.disabled = true;
    if (news.state !== "done") bar.value = 0;
    if (news.problem) trouble.say(news.problem);
    if (!news.shown) return announce(`Fit ${STAGES[news.state]}`);
    again.hidden = !news.resumable;
    if (news.resumable) state.textContent = "Stopped";
    bar.value = news.resumable ? bar.value : 1;
    store.keep(news.shown);
    announce(`Fit finished. ${news.shown.verdict?.headline ?? ""}`);
  }
  return { offer };
}

function recordingCard(store) {
  const offer = store.offer;
  const trouble = complaint();
  const about = h("div.about", {});
  const input = h("input", { type: "file", id: "recording", accept: offer.suffixes.join(","), onchange: () => input.files[0] && upload(input.files[0]) });
  const drop = h("label.drop", { for: "recording" },
    h("strong", {}, "Drop an impulse response"),
    h("span", {}, `or choose a file: ${offer.formats}, up to ${offer.upload_mb} MB`), input);
  const card = {
    element: h("section.card", { "aria-labelledby": "h-recording" },
      h("h2", { id: "h-recording" }, "Recording"), drop,
      h("div.row.examples", {}, h("span.label", {}, "Examples"),
        offer.examples.map((name) => h("button.small", { type: "button", onclick: () => take(() => ask("example", { name })) }, name.replaceAll("_", " ")))),
      trouble.element, about),
    onready: () => {},
  };

  for (const kind of ["dragenter", "dragover"]) drop.addEventListener(kind, (event) => { event.preventDefault(); drop.classList.add("over"); });
  for (const kind of ["dragleave", "drop"]) drop.addEventListener(kind, () => drop.classList.remove("over"));
  drop.addEventListener("drop", (event) => {
    event.preventDefault();
    if (event.dataTransfer.files[0]) upload(event.dataTransfer.files[0]);
  });

  function upload(file) {
    if (file.size > offer.upload_mb * 2 ** 20) return trouble.say(`${file.name}: is larger than ${offer.upload_mb} MB; cut it to what is needed`);
    return take(() => send(`upload?name=${encodeURIComponent(file.name)}`, file)).finally(() => (input.value = ""));
  }

  async function take(request) {
    trouble.say(null);
    card.element.setAttribute("aria-busy", "true");
    try {
      store.recording = await request();
      describe(store.recording);
      store.tell("recording");
      card.onready();
    } catch (error) {
      trouble.say(error.message);
    } finally {
      card.element.removeAttribute("aria-busy");
    }
  }

  function describe(recording) {
    const octaves = recording.octaves;
    const t30 = octaves.rows.find((row) => row.symbol === "T30");
    about.replaceChildren(
      h("h3", {}, recording.name),
      h("dl.facts", {}, recording.facts.map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
      recording.warnings.length
        ? h("ul.warnings", {}, recording.warnings.map((warning) => h("li", {}, warning)))
        : h("p.fine", {}, "No complaints about this recording."),
      h("table.strip", {}, h("caption", {}, "T30 per octave"),
        h("thead", {}, h("tr", {}, octaves.columns.slice(1).map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, h("tr", {}, t30.cells.slice(1).map((cell) =>
          h(cell.counts ? "td" : "td.off", { title: cell.note || null }, cell.counts ? cell.text : `(${cell.text})`))))),
    );
  }
  return card;
}

function settingsCard(store) {
  const offer = store.offer;
  const model = choice(Object.keys(offer.models).map((name) => [name, name]), offer.default_model, usual);
  const method = choice(offer.methods.map((name) => [name, name === "cmaes" ? "CMA-ES" : name]), "gradient", usual);
  const lines = h("input", { type: "number", min: 1, max: offer.max_lines, step: 1 });
  const iterations = h("input", { type: "number", min: 1, max: offer.max_iterations, step: 1 });
  const seed = h("input", { type: "number", min: 0, step: 1, value: 0 });
  const channel = choice([["1", "1"]], "1");
  const stereo = toggle("Stereo output", false, () => {});
  const note = h("p.hint", { id: "model-note" });
  const channels = field("Channel", channel);
  channels.hidden = true;
  model.id = "model";
  method.id = "method";
  lines.id = "lines";
  iterations.id = "iterations";
  seed.id = "seed";
  channel.id = "channel";

  store.on("recording", () => {
    const count = store.recording.channels;
    channel.replaceChildren(...Array.from({ length: Math.min(count, 64) }, (_, k) => h("option", { value: k + 1 }, String(k + 1))));
    if (count > 1 && count <= 16) channel.append(h("option", { value: "all" }, "all"));
    channels.hidden = count < 2;
  });

  function usual() {
    const other = method.value !== "gradient";
    model.disabled = other;
    const name = other ? "homogeneous" : model.value;
    const values = offer.usual[name];
    lines.placeholder = values.lines || "auto";
    iterations.placeholder = values.iterations;
    note.textContent = other
      ? `${method.selectedOptions[0].text} fits the homogeneous model, to compare with: ${offer.models.homogeneous}.`
      : `${offer.models[name]}, at up to ${values.sample_rate_hz / 1000} kHz.`;
  }
  usual();
  return {
    element: h("section.card", { "aria-labelledby": "h-settings" },
      h("h2", { id: "h-settings" }, "Settings"),
      h("div.pair", {}, field("Model", model), field("Method", method)), note,
      h("div.triple", {}, field("Lines", lines), field("Iterations", iterations), field("Seed", seed)),
      channels, stereo.element),
    values: () => ({
      model: model.value,
      method: method.value,
      lines: lines.value === "" ? null : Number(lines.value),
      iterations: iterations.value === "" ? null : Number(iterations.value),
      seed: seed.value === "" ? 0 : Number(seed.value),
      channel: channel.value === "all" ? "all" : Number(channel.value),
      stereo: stereo.box.checked && channel.value !== "all",
    }),
  };
}

function liveCharts() {
  const both = [{ key: "room", look: "room", name: "room" }, { key: "fit", look: "fit", name: "network" }];
  const decay = new Chart("Energy decay", "dB, noise taken out", {
    x: { label: "seconds", low: 0, high: 1, ticks: [0, 0.5, 1] }, y: { low: -60, high: 0, ticks: [-60, -40, -20, 0] }, curves: both });
  const density = new Chart("Echo density", "1 is Gaussian noise", {
    x: { label: "seconds", low: 0.01, high: 1, log: true, ticks: [0.01, 0.1, 1] }, y: { low: 0, high: 1.25, ticks: [0, 0.5, 1] }, curves: both });
  const loss = new Chart("Loss", "best so far", {
    x: { label: "iterations", low: 0, high: 400, ticks: [0, 200, 400] }, y: { low: 0.01, high: 10, log: true, ticks: [0.01, 0.1, 1, 10] }, width: window.innerWidth < 700 ? 400 : 860, height: 200,
    curves: [{ key: "loss", look: "fit", name: "" }] });
  let axes = null;
  let history = [];
  return {
    element: h("div.charts", {}, h("div.card", {}, decay.element), h("div.card", {}, density.element), h("div.card.wide", {}, loss.element)),
    room(curves) {
      axes = curves;
      const floor = -10 * Math.ceil((curves.range_db + 5) / 10);
      decay.axes({ label: "seconds", low: 0, high: curves.knee_s, ticks: ticks(0, curves.knee_s) },
        { low: floor, high: 0, ticks: ticks(floor, 0, 4) });
      const [first, last] = [curves.density_s[0], curves.density_s.at(-1)];
      density.axes({ label: "seconds", low: first, high: last, log: true, ticks: logTicks(first, last) }, { low: 0, high: 1.25, ticks: [0, 0.5, 1] });
      decay.clear();
      density.clear();
      decay.draw("room", curves.decay_s, curves.decay_db);
      density.draw("room", curves.density_s, curves.density);
    },
    begin() {
      history = [];
      loss.clear();
      decay.draw("fit", [], []);
      density.draw("fit", [], []);
    },
    progress(frame) {
      if (axes && frame.curves) {
        decay.draw("fit", axes.decay_s, frame.curves.decay_db);
        density.draw("fit", axes.density_s, frame.curves.density);
      }
      history = frame.losses.map(([iteration, loss, stage]) => ({ iteration, loss, stage }));
      const values = history.map((one) => one.loss).filter((value) => value > 0);
      if (!values.length) return;
      const low = 10 ** Math.floor(Math.log10(Math.min(...values) * 0.95));
      const high = 10 ** Math.ceil(Math.log10(Math.max(...values) * 1.05));
      loss.axes({ label: "iterations", low: 0, high: frame.total, ticks: ticks(0, frame.total) },
        { low, high, log: true, ticks: logTicks(low, high).filter((t) => Number.isInteger(Math.round(Math.log10(t) * 1e6) / 1e6)) });
      loss.draw("loss", history.map((one) => one.iteration), history.map((one) => Math.max(one.loss, low)));
      loss.marks.replaceChildren();
      let stage = null;
      for (const one of history) {
        if (one.stage !== stage && one.iteration > 1) loss.mark(one.iteration, one.stage);
        stage = one.stage;
      }
    },
  };
}
