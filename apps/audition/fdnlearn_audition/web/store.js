// What the page knows, and who wants to be told when it changes.

export const METHOD_ORDER = ["gradient", "genetic", "analytic", "cmaes", "classic", "opened"];

const NAMES = { cmaes: "CMA-ES" };

export function createStore() {
  const listeners = new Map();
  return {
    offer: null, // what there is to choose from
    recording: null,
    takes: [],
    on(event, listener) {
      listeners.set(event, [...(listeners.get(event) ?? []), listener]);
    },
    tell(event, value) {
      for (const listener of listeners.get(event) ?? []) listener(value);
    },
    keep(take) {
      this.takes = [...this.takes.filter((other) => other.key !== take.key), take];
      this.takes.sort((a, b) => rank(a) - rank(b));
      this.tell("takes", take);
    },
  };
}

function rank(take) {
  const place = METHOD_ORDER.indexOf(take.key === "opened" ? "opened" : take.method);
  return 2 * (place < 0 ? METHOD_ORDER.length : place) + (take.model === "banded" ? 0 : 1);
}

/** A take in a word or two; the model only where two takes differ in nothing else. */
export function takeName(take, takes) {
  const method = NAMES[take.method] ?? take.method;
  const name = take.key === "opened" ? `opened: ${method}` : method;
  const alike = takes.filter((other) => other.method === take.method && other.key !== "opened");
  return alike.length > 1 && take.key !== "opened" ? `${name}, ${take.model}` : name;
}
