// What the page knows, and who wants to be told when it changes.

export const METHOD_ORDER = ["gradient", "genetic", "analytic", "cmaes", "classic", "opened"];

const NAMES = { cmaes: "CMA-ES" };

export function createStore() {
  const listeners = new Map();
  return {
    offer: null, // what there is to choose from
    recording: null,
    takes: [],
    preview: null, // the best network so far of the fit that is under way
    on(event, listener) {
      listeners.set(event, [...(listeners.get(event) ?? []), listener]);
    },
    tell(event, value) {
      for (const listener of listeners.get(event) ?? []) listener(value);
    },
    keep(take) {
      // Takes are heard side by side: all are of one room.
      this.takes = [...this.takes.filter((other) => other.key !== take.key && other.room_id === take.room_id), take];
      this.takes.sort((a, b) => rank(a) - rank(b));
      this.tell("takes", take);
    },
    /** Another network of the fit that is under way; null when there is none any more. */
    hear(preview) {
      if (this.preview === preview) return;
      this.preview = preview;
      this.tell("preview", preview);
    },
    /** The fit that is under way has become a take. */
    become(take) {
      this.preview = null;
      this.keep(take);
    },
    /** All networks that can be heard together: takes of another room wait until the fit of this one is over. */
    get heard() {
      if (!this.preview) return this.takes;
      return [...this.takes.filter((take) => take.room_id === this.preview.room_id), this.preview];
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
