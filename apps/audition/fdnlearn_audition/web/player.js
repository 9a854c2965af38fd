// One player for the whole page: clips, stems, transport. Panels show it; none owns it.

import { Graph } from "./graph.js";
import { buffer, dryPath, responsePath } from "./server.js";
import { LONGEST_CLIP_S, audible, convolve, fitted, measured, playbackGains } from "./stems.js";
import { takeName } from "./store.js";

export const CLIP_NAMES = { dry: "Strings and drums", dry_drums: "Drum loop", dry_voice: "Voice" };
const SHORTEST_REGION_S = 0.1;

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
    store.on("takes", (take) => {
      for (const key of this.cache.keys()) if (key.includes(`|${take.key}|`) || key.includes("|room|")) this.cache.delete(key);
      this.signature = "";
    });
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

  responseBuffer(key, of) {
    return this.cached(`${this.rate}|${of === "room" ? "room" : key}|${of}`, async () => {
      const response = await buffer(this.context, responsePath(key, of, this.rate));
      return fitted(response, response.length);
    });
  }

  /** Make the stems for the present clip, rate and takes, unless they are made. */
  async prepare() {
    const takes = this.store.takes;
    const signature = JSON.stringify([this.rate, this.clip, takes.map((take) => take.key)]);
    if (signature === this.signature) return;
    this.pause();
    this.dispatchEvent(new Event("preparing"));
    const clip = await this.clipBuffer();
    // The room as the fit of the highest rate knew it.
    const witness = takes.filter((take) => take.has_room).sort((a, b) => b.sample_rate_hz - a.sample_rate_hz)[0];
    const wanted = [
      ...(witness ? [{ key: "room", name: "room", of: "room", from: witness.key }] : []),
      ...takes.map((take) => ({ key: take.key, name: takeName(take, takes), of: "network", from: take.key, take })),
    ];
    const responses = await Promise.all(wanted.map((stem) => this.responseBuffer(stem.from, stem.of)));
    const length = clip.length + Math.max(0, ...responses.map(audible));
    const wet = await Promise.all(responses.map((response) => convolve(clip, response, length)));
    this.graph?.dispose();
    this.graph = null;
    this.stems = [
      { key: "dry", name: "dry", buffer: fitted(clip, length) },
      ...wanted.map((stem, i) => ({ ...stem, buffer: wet[i] })),
    ].map((stem) => ({ ...stem, ...measured(stem.buffer) }));
    if (!this.stems.some((stem) => stem.key === this.selected)) this.selected = this.stems.at(-1).key;
    this.region = null;
    this.at = 0;
    this.signature = signature;
    this.gains();
    this.changed();
  }

  gains() {
    const gains = playbackGains(this.stems, this.matched);
    for (const stem of this.stems) stem.gain = gains.get(stem.key);
    this.graph?.gains(gains);
  }

  match(on) {
    this.matched = on;
    this.gains();
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
      this.graph.sources[0].onended = () => {
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
