// The page: enters the room, fills its panels, hands keys to the one that is shown.

import { blindPanel } from "./blind.js";
import { complaint } from "./dom.js";
import { fitPanel } from "./fit.js";
import { listenPanel } from "./listen.js";
import { Player } from "./player.js";
import { remember, stayAlive } from "./server.js";
import { createStore } from "./store.js";
import { takePanel } from "./take.js";
import { tweakPanel } from "./tweak.js";

/** Take charge of the page's frame; `trigger` sends an event to the server. */
export function mount(element, trigger) {
  const room = element.querySelector(".room") ?? element;
  const store = createStore();
  // Streams of events name their kind; each is for one reader.
  window.addEventListener("room-news", ({ detail }) => {
    if (detail?.kind === "entered") detail.ok ? enter(room, store, detail, trigger) : refuse(room, detail.problem);
    else if (detail?.kind === "fit") store.tell("news", detail);
  });
  trigger("enter", {});
}

function refuse(room, problem) {
  const trouble = complaint();
  room.querySelector("#panel-fit").replaceChildren(trouble.element);
  trouble.say(problem);
  room.dataset.state = "refused";
}

function enter(room, store, offer, trigger) {
  if (store.offer) return;
  remember(offer.token);
  stayAlive();
  store.offer = offer;
  const panel = (name) => room.querySelector(`#panel-${name}`);
  const player = new Player(store);
  const panels = {
    fit: fitPanel(panel("fit"), store, player, trigger),
    listen: listenPanel(panel("listen"), store, player),
    blind: blindPanel(panel("blind"), store, player),
    tweak: tweakPanel(panel("tweak"), store, player),
    take: takePanel(panel("take"), store),
  };
  const show = tabs(room, panels);
  for (const take of offer.takes) store.keep(take);
  document.addEventListener("keydown", (event) => {
    const busy = event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input:not([type=range]):not([type=checkbox]), select, textarea");
    if (!busy && show.current().key(event)) event.preventDefault();
  });
  // What a test listens to.
  room.player = player;
  room.dataset.state = "ready";
  if (offer.takes.length) show.tab("take");
}

/** Tabs after the ARIA practices: arrows move, the shown tab alone is in the order of Tab. */
function tabs(room, panels) {
  const buttons = [...room.querySelectorAll("[role=tab]")];
  const nameOf = (button) => button.id.replace("tab-", "");
  let current = "fit";

  function tab(name, focus = false) {
    if (name === current) return;
    panels[current].hidden(name);
    current = name;
    for (const button of buttons) {
      const on = nameOf(button) === name;
      button.setAttribute("aria-selected", String(on));
      button.tabIndex = on ? 0 : -1;
      room.querySelector(`#panel-${nameOf(button)}`).hidden = !on;
      if (on && focus) button.focus();
      if (on) button.scrollIntoView({ block: "nearest", inline: "nearest" });
    }
    panels[name].shown();
  }

  buttons.forEach((button, i) => {
    button.addEventListener("click", () => tab(nameOf(button)));
    button.addEventListener("keydown", (event) => {
      const to = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: buttons.length - 1 }[event.key];
      if (to === undefined) return;
      event.preventDefault();
      tab(nameOf(buttons[(to + buttons.length) % buttons.length]), true);
    });
  });
  return { tab, current: () => panels[current] };
}
