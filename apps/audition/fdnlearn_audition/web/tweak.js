// Tweak: the page runs the network itself, sample by sample, while its knobs are turned.

import { choice, complaint, decibels, field, h, slider } from "./dom.js";
import { ask } from "./server.js";
import { takeName } from "./store.js";

const FACTOR = { min: -2, max: 2, step: 0.02 };
const NEUTRAL = { decay: 0, size: 0, preDelay: 0, early: 0, late: 0, wet: 1 };

/** A node that runs a network; the module must have been added to the context. */
export function networkNode(context, network) {
  return new AudioWorkletNode(context, "room-network", {
    numberOfInputs: 1, numberOfOutputs: 1, outputChannelCount: [network.outputGains.length],
    channelCount: network.inputGains[0].length, channelCountMode: "explicit",
    channelInterpretation: network.inputGains[0].length === 1 ? "speakers" : "discrete",
    processorOptions: { network },
  });
}

export function tweakPanel(panel, store, player) {
  const trouble = complaint();
  const empty = h("p.empty", {}, "There is no network to run yet: fit a recording first.");
  const take = choice([], undefined, () => restart());
  take.id = "tweak-take";
  const clip = choice([], undefined, (name) => { player.clip = name; restart(); });
  clip.id = "tweak-clip";
  const play = h("button.primary.play", { type: "button", id: "tweak-play", onclick: () => (live ? stop() : start()) }, "Play");
  const heard = h("p.hint", { id: "tweak-heard" }, "");
  const values = { ...NEUTRAL };
  const factor = (v) => `× ${(2 ** v).toFixed(2)}`;
  const knobs = {
    decay: knob("Decay", { ...FACTOR, min: -1.5, max: 1.5, show: factor }, redesign),
    size: knob("Size", { ...FACTOR, min: -1, max: 1, show: factor }, redesign),
    preDelay: knob("Pre-delay", { min: 0, max: 200, step: 1, show: (v) => `${v} ms` }, settle),
    early: knob("Early", { min: -24, max: 12, step: 0.5, show: decibels }, settle),
    late: knob("Late", { min: -24, max: 12, step: 0.5, show: decibels }, settle),
    wet: knob("Wet", { min: 0, max: 1, step: 0.01, show: (v) => `${Math.round(100 * v)} %` }, settle),
  };
  const desk = h("div.desk", { hidden: true },
    h("div.card", {}, h("div.pair", {}, field("Network", take), field("Dry clip", clip)),
      h("div.row", {}, play, h("button", { type: "button", id: "tweak-reset", onclick: reset }, "As fitted"), heard), trouble.element),
    h("div.knobs", {}, Object.values(knobs).map((one) => h("div.card", {}, one.element))),
    h("p.hint", {}, "An AudioWorklet with the numbers of the webaudio export runs in this page. Decay and size redesign the loop filters, by the same closed form that every export uses; what is in the delay lines sounds on."));
  panel.append(empty, desk);
  let live = null;
  let asked = 0;
  let pending = null;

  function knob(name, range, then) {
    const key = Object.keys(NEUTRAL).find((one) => one.toLowerCase() === name.toLowerCase().replace("-", ""));
    return slider(name, { ...range, value: NEUTRAL[key], oninput: (v) => { values[key] = v; then(); } });
  }

  function fetchNetwork() {
    return ask("network", { take: take.value, rate: player.rate, decay: 2 ** values.decay, size: 2 ** values.size }).then((told) => told.network);
  }

  async function start() {
    trouble.say(null);
    try {
      const context = player.context;
      await context.resume();
      context.roomModule ??= context.audioWorklet.addModule("/room/worklet.js");
      const { decay, size } = values;
      const [network, buffer] = await Promise.all([fetchNetwork(), player.clipBuffer(), context.roomModule]);
      const source = new AudioBufferSourceNode(context, { buffer, loop: true });
      const node = networkNode(context, network);
      const delay = new DelayNode(context, { maxDelayTime: 0.25 });
      const wet = new GainNode(context, { gain: 0 });
      const dry = new GainNode(context, { gain: 0 });
      // The room's own level, as on the Listen page: as loud as the dry clip.
      const stem = player.stems.find((one) => one.key === take.value);
      const level = stem ? stem.gain : 1;
      const dryLevel = player.stems.find((one) => one.key === "dry")?.gain ?? 1;
      source.connect(node).connect(delay).connect(wet).connect(context.destination);
      source.connect(dry).connect(context.destination);
      node.onprocessorerror = () => trouble.say("This browser could not run the network; fit with fewer lines");
      node.port.onmessage = ({ data }) => { heard.textContent = `Redesigned and heard after ${Math.round(performance.now() - data.heard)} ms`; };
      live = { context, source, node, delay, wet, dry, level, dryLevel };
      settle();
      source.start();
      play.textContent = "Stop";
      // Knobs may have been turned while the network was on its way.
      if (values.decay !== decay || values.size !== size) redesign();
    } catch (error) {
      trouble.say(error.message);
    }
  }

  function stop() {
    if (!live) return;
    const { source, node, wet, dry } = live;
    source.stop();
    node.port.postMessage({ end: true });
    for (const one of [source, node, wet, dry]) one.disconnect();
    live = null;
    play.textContent = "Play";
  }

  async function restart() {
    if (!live) return;
    stop();
    await start();
  }

  function settle() {
    if (!live) return;
    const { context, node, delay, wet, dry, level, dryLevel } = live;
    const to = (param, value) => param.setTargetAtTime(value, context.currentTime, 0.015);
    to(node.parameters.get("early"), 10 ** (values.early / 20));
    to(node.parameters.get("late"), 10 ** (values.late / 20));
    to(delay.delayTime, values.preDelay / 1000);
    to(wet.gain, values.wet * level);
    to(dry.gain, (1 - values.wet) * dryLevel);
  }

  /** Ask for the network at the present decay and size; while one answer is awaited only the newest wish waits. */
  function redesign() {
    if (!live) return;
    const since = performance.now();
    asked += 1;
    if (pending) return;
    const wish = asked;
    pending = fetchNetwork()
      .then((network) => live?.node.port.postMessage({ network, id: since }))
      .catch((error) => trouble.say(error.message))
      .finally(() => {
        pending = null;
        if (asked !== wish) redesign();
      });
  }

  function reset() {
    Object.assign(values, NEUTRAL);
    for (const [key, one] of Object.entries(knobs)) one.set(NEUTRAL[key]);
    settle();
    redesign();
  }

  return {
    async shown() {
      const any = store.takes.length > 0;
      empty.hidden = any;
      desk.hidden = !any;
      if (!any) return;
      const before = take.value;
      take.replaceChildren(...store.takes.map((one) => h("option", { value: one.key }, takeName(one, store.takes))));
      take.value = store.takes.some((one) => one.key === before) ? before : store.takes[0].key;
      clip.replaceChildren(...player.clips().map(([value, text]) => h("option", { value }, text)));
      clip.value = player.clip;
      await player.prepare().catch((error) => trouble.say(error.message));
    },
    hidden: stop,
    key(event) {
      if (event.key !== "p") return false;
      if (live) stop();
      else start();
      return true;
    },
  };
}
