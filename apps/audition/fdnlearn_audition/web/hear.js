// What can be heard, as buttons: the keys of every panel, and the strip that goes with a fit.

import { decibels, h } from "./dom.js";

export function lookOf(stem) {
  if (stem.key === "dry" || stem.key === "room") return stem.key;
  return stem.key === "opened" ? "opened" : stem.method ?? "other";
}

/** A button for every stem of the player; `fill` brings them up to date, the focus stays where it was. */
export function stemKeys(player) {
  const element = h("div.keys", { role: "group", "aria-label": "What is heard" });

  function button(stem, index) {
    const on = stem.key === player.selected;
    return h(`button.key.${lookOf(stem)}`, { type: "button", "aria-pressed": String(on), "data-stem": stem.key, onclick: () => player.select(stem.key) },
      h("kbd", { "aria-hidden": "true" }, String(index + 1)), h("span.name", {}, stem.name),
      h("span.gain", {}, decibels(20 * Math.log10(stem.gain))), stem.note ? h("span.note", {}, stem.note) : null);
  }

  return {
    element,
    fill() {
      const focused = element.contains(document.activeElement) ? document.activeElement.dataset.stem : null;
      element.replaceChildren(...player.stems.map(button));
      if (focused) element.querySelector(`[data-stem="${CSS.escape(focused)}"]`)?.focus();
    },
  };
}

/** Digits choose what is heard, P plays and pauses. */
export function stemKey(player, event, attempt) {
  const stem = player.stems[Number(event.key) - 1];
  if (stem) player.select(stem.key);
  else if (event.key === "p") attempt(() => player.toggle());
  else return false;
  return true;
}

/** Under the bar of a fit: play the room against the best network so far, and against what it becomes. */
export function hearStrip(panel, store, player, attempt) {
  const keys = stemKeys(player);
  const play = h("button.play", { type: "button", id: "hear-play", onclick: () => attempt(() => player.toggle()) });
  const element = h("div.hear", { hidden: true, "aria-label": "Hear it", role: "group" }, play, keys.element);

  function update() {
    if (panel.hidden) return;
    element.hidden = !store.heard.length || player.stems.length < 2;
    play.textContent = player.playing ? "Pause" : "Hear it";
    keys.fill();
  }

  player.addEventListener("change", update);
  update();
  return {
    element,
    shown: update,
    hidden: () => keys.element.replaceChildren(), // of all panels the one that is shown has keys
    key: (event) => !element.hidden && stemKey(player, event, attempt),
  };
}
