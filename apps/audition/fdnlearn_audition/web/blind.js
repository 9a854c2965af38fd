// Blind test: choose between ABX (is there a difference?) and MUSHRA (how large is it?).

import { abx } from "./abx.js";
import { h } from "./dom.js";
import { mushra } from "./mushra.js";

export function blindPanel(panel, store, player) {
  const empty = h("p.empty", {}, "A blind test needs a room and a fit of it: fit a recording first.");
  const room = { store, player };
  const tests = { abx: abx(room), mushra: mushra(room) };
  let chosen = "abx";
  const buttons = [["abx", "ABX", "Can you hear a difference?"], ["mushra", "Rating", "How close does each come?"]].map(([key, name, about]) =>
    h("button.pick", { type: "button", "aria-pressed": String(key === chosen), "data-test": key, onclick: () => pick(key) }, h("strong", {}, name), h("span", {}, about)));
  const desk = h("div", { hidden: true }, h("div.picks", { role: "group", "aria-label": "Kind of test" }, buttons), tests.abx.element, tests.mushra.element);
  panel.append(empty, desk);

  function pick(key) {
    tests[chosen].leave();
    chosen = key;
    for (const button of buttons) button.setAttribute("aria-pressed", String(button.dataset.test === key));
    for (const [name, test] of Object.entries(tests)) test.element.hidden = name !== key;
    tests[key].enter();
  }
  pick("abx");

  return {
    async shown() {
      const ready = store.takes.some((take) => take.has_room);
      empty.hidden = ready;
      desk.hidden = !ready;
      if (ready) {
        await player.prepare();
        tests[chosen].enter();
      }
    },
    hidden() {
      tests[chosen].leave();
    },
    key(event) {
      return tests[chosen].key(event);
    },
  };
}
