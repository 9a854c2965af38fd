// Rating after ITU-R BS.1534 (MUSHRA): an open reference, and among the items a hidden one and a 3.5 kHz anchor.

import { announce, complaint, download, h } from "./dom.js";
import { CLIP_NAMES } from "./player.js";
import { csv, shuffled } from "./statistics.js";
import { anchorOf, measured } from "./stems.js";

const SCALE = ["Bad", "Poor", "Fair", "Good", "Excellent"];
/** A hidden reference below this says that a listener did not hear what there is to hear. */
const RELIABLE = 90;

export function mushra({ store, player }) {
  const trouble = complaint();
  const begin = h("button.primary", { type: "button", id: "mushra-begin", onclick: start }, "Begin");
  const setup = h("div.card", {}, h("p", {}, "Rate how close each sound comes to the room. Among them are the room itself and the room through a 3.5 kHz low-pass, unmarked. One page a clip; loudness is matched."), begin, trouble.element);
  const desk = h("div.card", { hidden: true });
  const result = h("div.result", { id: "mushra-result", hidden: true });
  const element = h("section", { "aria-label": "Rating test", hidden: true }, setup, desk, result);
  let run = null;

  async function start() {
    trouble.say(null);
    result.hidden = true;
    begin.disabled = true;
    run = { rows: [], clips: shuffled(player.clips().map(([name]) => name)), page: 0, before: player.clip };
    try {
      await page();
    } catch (error) {
      trouble.say(error.message);
      quit();
    } finally {
      begin.disabled = false;
    }
  }

  async function page() {
    player.clip = run.clips[run.page];
    await player.prepare();
    const room = player.stems.find((stem) => stem.key === "room");
    const anchor = await anchorOf(room.buffer);
    const items = shuffled([
      { condition: "hidden reference", ...room },
      { condition: "anchor 3.5 kHz", ...room, buffer: anchor, ...measured(anchor) },
      ...player.stems.filter((stem) => stem.take).map((stem) => ({ condition: stem.name, ...stem })),
    ]);
    const all = [{ condition: "reference", ...room }, ...items];
    const softest = Math.min(...all.map((one) => one.loudness));
    for (const one of all) one.gain = 10 ** ((softest - one.loudness) / 20);
    const trim = Math.min(1, 0.94 / Math.max(...all.map((one) => one.gain * one.peak)));
    player.borrow(all.map((one, i) => ({ ...one, key: `item-${i}`, gain: one.gain * trim })));
    run.items = items;
    run.rated = new Map();
    run.heard = new Set();
    draw();
    await hear(0);
    if (!player.playing) await player.play();
  }

  function draw() {
    setup.hidden = true;
    desk.hidden = false;
    run.buttons = [h("button.letter", { type: "button", "aria-pressed": "false", onclick: () => hear(0) }, "Reference")];
    const columns = run.items.map((item, i) => {
      const letter = String.fromCharCode(65 + i);
      const button = h("button.letter", { type: "button", "aria-pressed": "false", onclick: () => hear(i + 1) }, letter);
      const written = h("output", {}, "–");
      const input = h("input", { type: "range", min: 0, max: 100, step: 1, value: 50, "aria-label": `Rating of ${letter}`, "data-item": letter,
        oninput: () => {
          written.textContent = input.value;
          run.rated.set(i, Number(input.value));
          input.setAttribute("aria-valuetext", `${input.value}, ${SCALE[Math.min(4, Math.floor(input.value / 20))]}`);
          input.style.setProperty("--part", `${input.value}%`);
          next.disabled = run.rated.size < run.items.length;
        } });
      run.buttons.push(button);
      return h("div.rating", {}, button, input, written);
    });
    const last = run.page + 1 === run.clips.length;
    const next = h("button.primary", { type: "button", id: "mushra-next", disabled: true, onclick: done }, last ? "Finish" : "Next clip");
    desk.replaceChildren(
      h("p.trial", {}, `Clip ${run.page + 1} of ${run.clips.length}: ${CLIP_NAMES[player.clip] ?? player.clip}`),
      h("div.row", {}, run.buttons[0], h("button", { type: "button", onclick: () => player.toggle() }, "Play or pause"), h("span.grow"), h("button", { type: "button", onclick: quit }, "Give up")),
      h("div.scale", { "aria-hidden": "true" }, SCALE.map((word) => h("span", {}, word))),
      ...columns, h("div.row", {}, h("span.grow"), next));
    announce(`Clip ${run.page + 1} of ${run.clips.length}`);
  }

  async function hear(index) {
    run.heard.add(index);
    run.buttons.forEach((button, i) => button.setAttribute("aria-pressed", String(i === index)));
    player.select(`item-${index}`);
  }

  async function done() {
    run.items.forEach((item, i) =>
      run.rows.push([run.page + 1, player.clip, String.fromCharCode(65 + i), item.condition, run.rated.get(i)]));
    player.borrow(null);
    if (++run.page < run.clips.length) return page().catch((error) => trouble.say(error.message));
    return finish();
  }

  function finish() {
    const rows = run.rows;
    quit();
    const conditions = [...new Set(rows.map((row) => row[3]))];
    const of = (condition) => rows.filter((row) => row[3] === condition).map((row) => row[4]);
    const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
    const summary = conditions.map((name) => [name, mean(of(name))]).sort((x, y) => y[1] - x[1]);
    const missed = of("hidden reference").filter((value) => value < RELIABLE).length;
    const table = csv([["page", "clip", "item", "condition", "rating"], ...rows]);
    result.replaceChildren(h("div.card", {},
      h("table.ratings", {}, h("caption", {}, "Mean rating"),
        h("thead", {}, h("tr", {}, h("th", { scope: "col" }, "Sound"), h("th", { scope: "col" }, "Mean"), h("td", {}))),
        h("tbody", {}, summary.map(([name, value]) => h("tr", {}, h("th", { scope: "row" }, name), h("td", {}, value.toFixed(0)),
          h("td.bar", {}, h("span", { style: `width:${value}%` })))))),
      missed ? h("p.hint", {}, `The hidden reference was rated below ${RELIABLE} on ${missed} of ${of("hidden reference").length} pages: by the recommendation such a listener is left out.`) : null,
      h("button", { type: "button", id: "mushra-csv", onclick: () => download("rating.csv", table) }, "Ratings as CSV")));
    result.hidden = false;
    announce("All clips are rated");
  }

  function quit() {
    player.borrow(null);
    if (run) player.clip = run.before;
    run = null;
    player.selected = "room";
    setup.hidden = false;
    desk.hidden = true;
    return player.prepare().catch((error) => trouble.say(error.message));
  }

  return {
    element,
    enter() {},
    leave: () => (run ? quit() : player.pause()),
    key(event) {
      if (!run) return false;
      const index = Number(event.key) - 1;
      if (run.buttons?.[index]) hear(index);
      else if (event.key === "p") player.toggle();
      else return false;
      return true;
    },
  };
}
