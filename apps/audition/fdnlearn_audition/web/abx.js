// ABX: X is A or B; so many trials, then the probability of so many hits by guessing.

import { announce, choice, complaint, download, field, h } from "./dom.js";
import { binomialP, chance, csv } from "./statistics.js";

const TRIALS = [5, 10, 16, 25];

export function abx({ store, player }) {
  const trouble = complaint();
  const first = choice([], undefined);
  const second = choice([], undefined);
  const count = choice(TRIALS.map((n) => [n, `${n} trials`]), 10);
  first.id = "abx-a";
  second.id = "abx-b";
  count.id = "abx-trials";
  const begin = h("button.primary", { type: "button", id: "abx-begin", onclick: start }, "Begin");
  const listen = ["A", "B", "X"].map((name, i) =>
    h("button.letter", { type: "button", "data-hear": name, "aria-pressed": "false", onclick: () => hear(name) }, h("kbd", { "aria-hidden": "true" }, String(i + 1)), name));
  const answers = ["A", "B"].map((name) => h("button", { type: "button", "data-answer": name, onclick: () => answer(name) }, `X is ${name}`));
  const told = h("p.trial", { id: "abx-trial" });
  const result = h("div.result", { id: "abx-result", hidden: true });
  const setup = h("div.card", {}, h("div.triple", {}, field("A", first), field("B", second), field("Length", count)),
    h("p.hint", {}, "Loudness is matched. X is drawn anew in every trial; the score is shown at the end, so that nobody stops at a lucky moment."), begin, trouble.element);
  const trial = h("div.card.trialcard", { hidden: true }, told, h("div.letters", { role: "group", "aria-label": "Hear" }, listen),
    h("div.row", {}, answers, h("span.grow"), h("button", { type: "button", onclick: () => player.toggle() }, "Play or pause"), h("button", { type: "button", onclick: quit }, "Give up")));
  const element = h("section", { "aria-label": "ABX test" }, setup, trial, result);
  let run = null;

  function stems() {
    return player.stems.filter((stem) => stem.key === "room" || stem.take); // a fit under way is no fixed sound
  }

  function enter() {
    const all = stems().map((stem) => [stem.key, stem.name]);
    const kept = [first.value, second.value];
    for (const [i, list] of [first, second].entries()) {
      list.replaceChildren(...all.map(([value, text]) => h("option", { value }, text)));
      list.value = all.some(([key]) => key === kept[i]) ? kept[i] : (all[i] ?? all[0])?.[0];
    }
  }

  async function start() {
    trouble.say(null);
    result.hidden = true;
    if (first.value === second.value) return trouble.say("A and B are the same; choose two different sounds");
    try {
      await player.prepare();
      const [a, b] = [first.value, second.value].map((key) => stems().find((stem) => stem.key === key));
      // Equally loud, whatever the Listen page says.
      const softest = Math.min(a.loudness, b.loudness);
      const levelled = [a, b].map((stem) => ({ ...stem, gain: 10 ** ((softest - stem.loudness) / 20) }));
      const trim = Math.min(1, 0.94 / Math.max(...levelled.map((stem) => stem.gain * stem.peak)));
      const [A, B] = levelled.map((stem) => ({ ...stem, gain: stem.gain * trim }));
      player.borrow([{ ...A, key: "A" }, { ...B, key: "B" }, { ...A, key: "XA" }, { ...B, key: "XB" }]);
      run = { a, b, trials: Number(count.value), rows: [], clip: player.clip };
      setup.hidden = true;
      trial.hidden = false;
      await next();
    } catch (error) {
      trouble.say(error.message);
    }
  }

  async function next() {
    run.x = chance(2) ? "A" : "B";
    run.since = performance.now();
    told.textContent = `Trial ${run.rows.length + 1} of ${run.trials}: is X the same as A or as B?`;
    announce(told.textContent);
    hear("A");
    if (!player.playing) await player.play();
  }

  function hear(name) {
    if (!run) return;
    for (const button of listen) button.setAttribute("aria-pressed", String(button.dataset.hear === name));
    player.select(name === "X" ? `X${run.x}` : name);
  }

  async function answer(name) {
    if (!run) return;
    const seconds = Math.round((performance.now() - run.since) / 100) / 10;
    run.rows.push([run.rows.length + 1, run.clip, run.a.name, run.b.name, run.x, name, run.x === name ? 1 : 0, seconds]);
    if (run.rows.length < run.trials) return next();
    const done = run;
    quit();
    const right = done.rows.filter((row) => row[6]).length;
    const p = binomialP(right, done.trials);
    const verdict = p < 0.05 ? "You can hear the difference: guessing does this well less than once in twenty times." : "No difference was shown: guessing does as well.";
    const table = csv([["trial", "clip", "a", "b", "x", "answer", "right", "seconds"], ...done.rows, [], ["right", right], ["trials", done.trials], ["p", p.toPrecision(4)]]);
    result.replaceChildren(h("div.card", {},
      h("p.score", {}, h("strong", {}, `${right} of ${done.trials}`), h("span", {}, `p = ${p < 0.001 ? p.toExponential(1) : p.toFixed(3)}`)),
      h("p", {}, verdict),
      h("button", { type: "button", id: "abx-csv", onclick: () => download("abx.csv", table) }, "Answers as CSV")));
    result.hidden = false;
    announce(`${right} of ${done.trials} right. ${verdict}`);
  }

  function quit() {
    run = null;
    player.borrow(null);
    player.selected = "room";
    setup.hidden = false;
    trial.hidden = true;
  }

  return {
    element,
    enter,
    leave: () => (run ? quit() : player.pause()),
    key(event) {
      if (!run) return false;
      const name = { 1: "A", 2: "B", 3: "X" }[event.key];
      if (name) hear(name);
      else if (event.key === "p") player.toggle();
      else return false;
      return true;
    },
  };
}
