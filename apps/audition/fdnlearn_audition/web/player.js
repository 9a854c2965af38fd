// One player for the whole page: clips, stems, transport. Panels show it; none owns it.

import { Graph } from "./graph.js";
import { buffer, dryPath, responsePath } from "./server.js";
import { LONGEST_CLIP_S, audible, convolve, fitted, measured, playbackGains } from "./stems.js";
import { takeName } from "./store.js";

export const CLIP_NAMES = { dry: "Strings and drums", dry_drums: "Drum loop", dry_voice: "Voice" };
const SHORTEST_REGION_S = 0.1;
/** Key of the stem that is the best network so far of a fit under way, whichever that is. */
export const PREVIEW = "preview";

export class Player extends EventTarget {
  constructor(store) {
    super();
    this.store = store;
    this.rate = 48000;
    this.clip = "dry";
    this.own = new Map(); // name -> File of the visitor's, decoded anew at every rate
    this.selected = "room";
    this.matched = true;
    this.wet = 1;
    this.loop = true;
    this.region = null;
    this.playing = false;
    this.at = 0;
    this.stems = [];
    this.cache = new Map();
    this.signature = "";
    this.timeline = ""; // what decides the length of all stems
    this.made = Promise.resolve();
    this.following = false; // a fit under way that can be heard
    store.on("takes", (take) => {
      this.forget(take.key);
      this.signature = "";
      if (!this.playing) this.timeline = "";
      // Who was listening to the fit under way listens to what it has become.
      if (this.selected === PREVIEW && !store.preview) this.selected = take.key;
      this.follow();
      this.renew(this.stems.length > 0);
    });
    store.on("preview", () => this.renew(this.follow()));
  }

  /** Drop what was made of a network. */
  forget(key) {
    for (const name of this.cache.keys()) if (name.includes(`|${key}|`)) this.cache.delete(name);
    for (const stem of this.stems) if (stem.id.includes(`|${key}|`)) stem.id = "";
  }

  /** Drop networks that have been followed by better ones; whether a fit begins to be heard, or ends. */
  follow() {
    const { preview } = this.store;
    for (const name of this.cache.keys()) if (name.includes(`|${PREVIEW}-`) && !name.includes(`|${preview?.key}|`)) this.cache.delete(name);
    const changes = Boolean(preview) !== this.following;
    this.following = Boolean(preview);
    return changes;
  }

  /** There is something else to hear: at once while it plays or if it is `wanted`, else when it is played next. */
  renew(wanted = false) {
    if (this.playing || wanted) this.prepare().catch(() => this.changed()); // Play will say what is wrong
    else {
      // What Play will bring is what its key says.
      for (const stem of this.stems) if (stem.key === PREVIEW && this.store.preview) stem.note = stateOf(this.store.preview);
      this.changed();
    }
  }

  changed() {
    this.dispatchEvent(new Event("change"));
  }

  get duration() {
    return this.stems[0]?.buffer.duration ?? 0;
  }

  get bounds() {
    return this.region ?? [0, this.duration];
  }

  clips() {
    const names = this.store.offer.dry.map((name) => [name, CLIP_NAMES[name] ?? name]);
    return [...names, ...[...this.own.keys()].map((name) => [name, name])];
  }

  /** Add a clip of the visitor's own; it never leaves the browser. */
  async addClip(file) {
    const name = file.name.slice(-60);
    this.own.set(name, file);
    try {
      await this.clipBuffer(name);
    } catch {
      this.own.delete(name);
      throw new Error(`${name}: is no audio that this browser can read; choose a WAV, FLAC or MP3 file`);
    }
    this.clip = name;
    await this.prepare();
    return name;
  }

  get context() {
    if (!this.live || this.live.sampleRate !== this.rate) {
      this.live?.close();
      this.live = new AudioContext({ sampleRate: this.rate });
      this.graph = null;
    }
    return this.live;
  }

  cached(key, make) {
    if (!this.cache.has(key)) {
      const made = make();
      this.cache.set(key, made);
      made.catch(() => this.cache.delete(key));
    }
    return this.cache.get(key);
  }

  clipBuffer(name = this.clip) {
    return this.cached(`${this.rate}|clip|${name}`, async () => {
      const file = this.own.get(name);
      const clip = file
        ? await this.context.decodeAudioData(await file.arrayBuffer())
        : await buffer(this.context, dryPath(name, this.rate));
      return fitted(clip, Math.min(clip.length, LONGEST_CLIP_S * this.rate));
    });
  }

  responseBuffer({ source, from, of }) {
    return this.cached(`${this.rate}|${source}|${of}`, async () => {
      const response = await buffer(this.context, responsePath(from, of, this.rate));
      return fitted(response, response.length);
    });
  }

  /** What there is to hear beside the dry clip: `source` says what it is a response of, `from` whose folder has it. */
  wanted() {
    const { heard, preview, takes } = this.store;
    const networks = heard.map((one) => ({
      key: one === preview ? PREVIEW : one.key, source: one.key, from: one.key, of: "network", method: one.method, take: one === preview ? null : one,
      name: one === preview ? `${takeName(one, [])} so far` : takeName(one, takes), note: one === preview ? stateOf(one) : "" }));
    // The room as the fit of the highest rate knew it.
    const witness = [preview, ...heard].filter((one) => one?.has_room).sort((a, b) => b.sample_rate_hz - a.sample_rate_hz)[0];
    if (!witness) return networks;
    const source = `${witness.room_id || witness.key}|${witness.channel}, ${witness.sample_rate_hz}`;
    return [{ key: "room", source, from: witness.key, of: "room", name: "room", note: "" }, ...networks];
  }

  /** Make the stems for the present clip, rate and networks, unless they are made. */
  prepare() {
    // One after the other; a blind test has stems of its own.
    this.made = this.made.catch(() => {}).then(() => this.borrowed ? null : this.make());
    return this.made;
  }

  async make() {
    const wanted = this.wanted();
    const asked = () => JSON.stringify([this.rate, this.clip, this.wanted().map((stem) => [stem.key, stem.source])]);
    const signature = asked();
    if (signature === this.signature) return;
    const timeline = `${this.rate}|${this.clip}`;
    const goesOn = () => this.playing && timeline === this.timeline && wanted.length > 0;
    if (!goesOn()) {
      this.pause();
      this.dispatchEvent(new Event("preparing"));
    }
    try {
      const clip = await this.clipBuffer();
      const responses = [];
      for (const stem of wanted) responses.push(await this.responseBuffer(stem));
      const needed = clip.length + Math.max(0, ...responses.map(audible));
      const present = timeline === this.timeline ? this.stems[0]?.buffer.length ?? 0 : 0;
      // Nothing that plays gets longer: what does not fit is heard to its end when it is played next.
      const length = goesOn() ? present : Math.max(present, needed);
      const stem = async (one, make) => {
        const id = `${timeline}|${one.source}|${one.of}|${length}`;
        const { buffer: made, loudness, peak } = this.stems.find((other) => other.id === id) ?? (await rendered(make));
        return { ...one, id, buffer: made, loudness, peak };
      };
      const stems = [await stem({ key: "dry", source: "", of: "clip", name: "dry", note: "" }, () => fitted(clip, length))];
      for (const [i, one] of wanted.entries()) stems.push(await stem(one, () => convolve(clip, responses[i], length)));
      this.take(stems, timeline, goesOn());
      this.signature = length < needed ? "" : signature;
    } catch (error) {
      // A network that has been followed by a better one cannot be fetched any more.
      if (asked() !== signature) return this.make();
      throw error;
    }
    this.changed();
  }

  /** Play other stems from now on, on the timeline that is running or from the start of another one. */
  take(stems, timeline, goesOn) {
    this.stems = stems;
    if (!stems.some((stem) => stem.key === this.selected)) this.selected = stems.at(-1).key;
    this.gains();
    if (goesOn) this.graph.become(stems, this.selected);
    else {
      this.pause();
      this.graph?.dispose();
      this.graph = null;
    }
    if (timeline !== this.timeline || this.region?.[1] > this.duration) {
      this.region = null;
      this.at = 0;
    }
    this.timeline = timeline;
  }

  gains() {
    const gains = playbackGains(this.stems, this.matched);
    for (const stem of this.stems) stem.gain = gains.get(stem.key);
    return gains;
  }

  match(on) {
    this.matched = on;
    const gains = this.gains();
    this.graph?.gains(gains);
    this.changed();
  }

  mix(wet) {
    this.wet = wet;
    this.graph?.mix(wet);
  }

  select(key) {
    this.selected = key;
    this.graph?.select(key);
    this.changed();
  }

  /** Other stems than the page's own for a while, as in a blind test; null for the page's own. */
  borrow(stems) {
    this.pause();
    this.graph?.dispose();
    this.graph = null;
    this.borrowed = stems;
  }

  position() {
    if (!this.playing) return this.at;
    const [start, end] = this.bounds;
    const run = Math.max(0, this.context.currentTime - this.started) + this.offset;
    return start + (this.loop ? run % (end - start) : Math.min(run, end - start));
  }

  async play() {
    await this.prepare();
    const context = this.context;
    await context.resume();
    const [start, end] = this.bounds;
    this.graph ??= new Graph(context, context.destination, this.borrowed ?? this.stems, this.borrowed ? null : "dry");
    this.graph.wet = this.borrowed ? 1 : this.wet;
    this.offset = this.at > start && this.at < end ? this.at - start : 0;
    this.started = context.currentTime + 0.03;
    this.graph.selected = this.selected;
    this.graph.settle(context.currentTime);
    this.graph.start(this.started, this.offset, [start, end], this.loop);
    if (!this.loop) {
      this.graph.ended = () => {
        this.pause();
        this.at = start;
        this.changed();
      };
    }
    this.playing = true;
    this.changed();
  }

  pause() {
    if (!this.playing) return;
    this.at = this.position();
    this.graph?.stop();
    this.playing = false;
    this.changed();
  }

  toggle() {
    return this.playing ? this.pause() : this.play();
  }

  async again() {
    if (this.playing) {
      this.pause();
      await this.play();
    } else this.changed();
  }

  seek(time) {
    this.at = Math.max(0, Math.min(this.duration, time));
    if (this.playing) {
      const at = this.at;
      this.pause();
      this.at = at;
      return this.play();
    }
    return this.changed();
  }

  setLoop(on) {
    const at = this.position();
    this.pause();
    this.loop = on;
    this.at = at;
    return this.again();
  }

  setRegion(start, end) {
    const was = this.playing;
    this.pause();
    const whole = start === null || end - start < SHORTEST_REGION_S;
    this.region = whole ? null : [Math.max(0, start), Math.min(this.duration, end)];
    return was ? this.play() : this.changed();
  }
}

async function rendered(make) {
  const made = await make();
  return { buffer: made, ...measured(made) };
}

/** Which network of a fit under way it is. */
function stateOf({ stage, iteration, loss }) {
  return `${stage === "design" ? "design" : `iteration ${iteration}`}, loss ${loss.toPrecision(3)}`;
}
