// Listen: dry clip, room and networks on one timeline.

import { choice, complaint, field, h, slider, toggle } from "./dom.js";
import { progressLine } from "./fit.js";
import { lookOf, stemKey, stemKeys } from "./hear.js";

export function listenPanel(panel, store, player) {
  const trouble = complaint();
  const keys = stemKeys(player);
  const fit = h("p.hint.fitting", { id: "listen-fit", hidden: true });
  const play = h("button.primary.play", { type: "button", id: "play", onclick: () => attempt(() => player.toggle()) });
  const wave = waveform(player);
  const clock = h("output.clock", { "aria-label": "Position" }, "0.00 s");
  const loop = toggle("Loop", true, (on) => attempt(() => player.setLoop(on)));
  const match = toggle("Match loudness", true, (on) => player.match(on));
  const wet = slider("Mix", { min: 0, max: 1, step: 0.01, value: 1, show: (v) => `${Math.round(100 * v)} % wet`, oninput: (v) => player.mix(v) });
  const clip = choice([], undefined, (name) => attempt(async () => { player.clip = name; await player.prepare(); }));
  const rate = choice(store.offer.rates.map((hz) => [hz, `${hz / 1000} kHz`]), player.rate, (hz) => attempt(async () => { player.pause(); player.rate = Number(hz); await player.prepare(); }));
  clip.id = "clip";
  rate.id = "rate";
  const own = h("input", { type: "file", accept: "audio/*", id: "own-clip", onchange: () => own.files[0] && attempt(() => player.addClip(own.files[0])) });
  const whole = h("button.small", { type: "button", onclick: () => attempt(() => player.setRegion(null, null)) }, "Whole clip");
  const start = h("input", { type: "number", step: 0.05, min: 0, id: "region-start", onchange: region });
  const end = h("input", { type: "number", step: 0.05, min: 0, id: "region-end", onchange: region });
  const empty = h("p.empty", {}, "Nothing to compare yet: fit a recording first, or open an earlier result under Take away.");
  const desk = h("div.desk", { hidden: true },
    h("div.card.stage", {},
      keys.element,
      fit,
      wave.element,
      h("div.row.transport", {}, play, clock, loop.element, match.element, h("span.grow"), whole),
      trouble.element),
    h("div.shelf", {},
      h("section.card", { "aria-label": "Clip" }, field("Dry clip", clip),
        h("label.file", { for: "own-clip" }, "Use a clip of your own", own), h("p.hint", {}, "Your own clip stays in this browser.")),
      h("section.card", { "aria-label": "Balance" }, wet.element, field("Play at", rate)),
      h("section.card", { "aria-label": "Loop region" }, h("div.pair", {}, field("Loop from / s", start), field("to / s", end)),
        h("p.hint", {}, "Or drag on the waveform."))),
    h("p.hint.hotkeys", {}, h("kbd", {}, "1"), "–", h("kbd", {}, "9"), " choose what is heard, ", h("kbd", {}, "P"), " plays and pauses, ", h("kbd", {}, "L"), " loops. Switching cross-fades in 8 ms; level matching (BS.1770) changes playback gain only."));
  panel.append(empty, desk);

  function region() {
    const [from, to] = [Number(start.value), Number(end.value)];
    attempt(() => player.setRegion(from, to > from ? to : null));
  }

  async function attempt(work) {
    trouble.say(null);
    try {
      await work();
    } catch (error) {
      trouble.say(error.message);
      update();
    }
  }

  function update() {
    desk.removeAttribute("aria-busy");
    const any = store.heard.length > 0;
    empty.hidden = any;
    desk.hidden = !any;
    if (!any) return;
    const names = player.clips();
    clip.replaceChildren(...names.map(([value, text]) => h("option", { value }, text)));
    clip.value = player.clip;
    keys.fill();
    play.textContent = player.playing ? "Pause" : "Play";
    loop.box.checked = player.loop;
    const [from, to] = player.bounds;
    start.value = from.toFixed(2);
    end.value = to.toFixed(2);
    whole.disabled = player.region === null;
    wave.draw();
  }

  player.addEventListener("change", () => !panel.hidden && update());
  player.addEventListener("preparing", () => { desk.setAttribute("aria-busy", "true"); });
  store.on("takes", update);
  store.on("preview", update);
  store.on("news", (news) => {
    fit.hidden = !store.preview;
    fit.textContent = `The fit goes on: ${progressLine(news.progress) || "design"}. Better networks take the place of “so far” as they come.`;
  });

  function tick() {
    if (!panel.hidden) {
      clock.textContent = `${player.position().toFixed(2)} s`;
      wave.cursor();
    }
    requestAnimationFrame(tick);
  }
  requestAnimationFrame(tick);

  return {
    async shown() {
      update();
      if (store.heard.length) await attempt(() => player.prepare());
      update();
    },
    hidden(next) {
      if (next !== "fit") player.pause();
    },
    key(event) {
      if (event.key !== "l") return stemKey(player, event, attempt);
      attempt(() => player.setLoop(!player.loop));
      return true;
    },
  };
}

/** Peaks of the stem that is heard, the loop region, the cursor; dragging sets the region, a click goes there. */
function waveform(player) {
  const canvas = document.createElement("canvas");
  const cursor = h("div.cursor");
  const shade = h("div.region");
  const element = h("div.wave", { role: "slider", tabindex: 0, "aria-label": "Position in the clip", "aria-valuemin": 0 }, canvas, shade, cursor);
  let from = null;

  const timeAt = (event) => {
    const box = element.getBoundingClientRect();
    return Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)) * player.duration;
  };
  element.addEventListener("pointerdown", (event) => {
    from = timeAt(event);
    element.setPointerCapture(event.pointerId);
  });
  element.addEventListener("pointermove", (event) => from !== null && place(Math.min(from, timeAt(event)), Math.max(from, timeAt(event))));
  element.addEventListener("pointerup", (event) => {
    const to = timeAt(event);
    if (from !== null && Math.abs(to - from) > 0.05 * player.duration) player.setRegion(Math.min(from, to), Math.max(from, to));
    else player.seek(to);
    from = null;
  });
  element.addEventListener("keydown", (event) => {
    const step = { ArrowLeft: -0.1, ArrowRight: 0.1, PageDown: -1, PageUp: 1 }[event.key];
    if (step === undefined && event.key !== "Home" && event.key !== "End") return;
    event.preventDefault();
    player.seek(event.key === "Home" ? 0 : event.key === "End" ? player.duration : player.position() + step);
  });

  function place(start, end) {
    const all = player.duration || 1;
    shade.style.left = `${(100 * start) / all}%`;
    shade.style.width = `${(100 * (end - start)) / all}%`;
  }

  return {
    element,
    draw() {
      const stem = player.stems.find((one) => one.key === player.selected);
      if (!stem || !element.clientWidth) return;
      const scale = window.devicePixelRatio || 1;
      const width = (canvas.width = Math.round(element.clientWidth * scale));
      const height = (canvas.height = Math.round(element.clientHeight * scale));
      const paint = canvas.getContext("2d");
      paint.clearRect(0, 0, width, height);
      paint.fillStyle = getComputedStyle(element).getPropertyValue(`--${lookOf(stem)}`) || "#888";
      const samples = stem.buffer.getChannelData(0);
      const columns = Math.floor(width / (2 * scale));
      for (let c = 0; c < columns; ++c) {
        let peak = 0;
        const last = Math.floor(((c + 1) * samples.length) / columns);
        for (let n = Math.floor((c * samples.length) / columns); n < last; ++n) peak = Math.max(peak, Math.abs(samples[n]));
        const tall = Math.max(scale, Math.min(1, peak * stem.gain) * (height - 4 * scale));
        paint.fillRect(c * 2 * scale, (height - tall) / 2, 1.4 * scale, tall);
      }
      place(...(player.region ?? [0, 0]));
      element.setAttribute("aria-valuemax", player.duration.toFixed(2));
      this.cursor();
    },
    cursor() {
      const at = player.position();
      cursor.style.left = `${(100 * at) / (player.duration || 1)}%`;
      element.setAttribute("aria-valuenow", at.toFixed(2));
      element.setAttribute("aria-valuetext", `${at.toFixed(2)} seconds`);
    },
  };
}
