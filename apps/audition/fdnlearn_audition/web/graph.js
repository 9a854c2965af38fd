// The player's graph: every stem runs all the time on one timeline, gains alone decide which is heard.
//
// Works on any BaseAudioContext, so that an offline context can prove what a live one plays.

/** Length of the cross-fade between stems, seconds. */
export const FADE_S = 0.008;
/** Until a stem that comes in later begins: by then its source has been set up. */
const LEAD_S = 0.05;

/** The part [start, end) of a buffer as a loop that closes without a step: its end fades into what precedes `start`. */
export function loopBuffer(context, buffer, start, end) {
  const rate = buffer.sampleRate;
  const first = Math.round(start * rate);
  const length = Math.max(1, Math.round(end * rate) - first);
  const fade = Math.min(Math.round(FADE_S * rate), length >> 1);
  const loop = context.createBuffer(buffer.numberOfChannels, length, rate);
  for (let c = 0; c < buffer.numberOfChannels; ++c) {
    const from = buffer.getChannelData(c);
    const to = loop.getChannelData(c);
    for (let n = 0; n < length; ++n) to[n] = from[first + n] ?? 0;
    for (let k = 0; k < fade; ++k) {
      const part = 0.5 - 0.5 * Math.cos((Math.PI * (k + 1)) / (fade + 1));
      const n = length - fade + k;
      to[n] = (1 - part) * to[n] + part * (from[first - fade + k] ?? 0);
    }
  }
  return loop;
}

/** A gain that moves in straight lines and knows where it is, so that a new move begins where the last one was. */
class Ramp {
  constructor(context, value) {
    this.node = context.createGain();
    this.node.gain.value = value;
    this.from = this.to = value;
    this.start = this.stop = 0;
  }

  at(time) {
    if (time >= this.stop) return this.to;
    if (time <= this.start) return this.from;
    return this.from + ((this.to - this.from) * (time - this.start)) / (this.stop - this.start);
  }

  move(value, time, length = FADE_S) {
    const now = this.at(time);
    if (now === value && this.to === value) return;
    const gain = this.node.gain;
    gain.cancelScheduledValues(time);
    // Not a step to `now`: of a ramp that was under way its first part is to be played as it was.
    gain.linearRampToValueAtTime(now, time);
    gain.linearRampToValueAtTime(value, time + length);
    [this.from, this.to, this.start, this.stop] = [now, value, time, time + length];
  }
}

/**
 * Stems side by side, each in a lane of its own: a source, while it is running, and a gain.
 *
 * `stems` are { key, buffer, gain } of one rate; `dry` is the key of the one that the mix adds to the others.
 */
export class Graph {
  constructor(context, destination, stems, dry = null) {
    this.context = context;
    this.destination = destination;
    this.dry = dry;
    this.selected = null;
    this.wet = 1;
    this.ended = null; // called when stems that do not loop are over
    this.running = null; // { when, offset, region, loop } since `start`
    this.lanes = stems.map((stem) => this.lane(stem));
  }

  lane(stem) {
    const ramp = new Ramp(this.context, 0);
    ramp.node.connect(this.destination);
    return { stem, ramp, source: null };
  }

  /** Gain of a stem when `selected` is heard. */
  level(stem) {
    if (stem.key === this.selected) return stem.key === this.dry ? stem.gain : this.wet * stem.gain;
    return stem.key === this.dry && this.selected !== null ? (1 - this.wet) * stem.gain : 0;
  }

  /** Hear another stem from `time` on. */
  select(key, time = this.context.currentTime) {
    this.selected = key;
    this.settle(time);
  }

  mix(wet, time = this.context.currentTime) {
    this.wet = wet;
    this.settle(time, 0.03);
  }

  /** New gains, as for level matching. */
  gains(byKey, time = this.context.currentTime) {
    for (const lane of this.lanes) lane.stem = { ...lane.stem, gain: byKey.get(lane.stem.key) ?? lane.stem.gain };
    this.settle(time, 0.03);
  }

  settle(time, length = FADE_S) {
    for (const { stem, ramp } of this.lanes) ramp.move(this.level(stem), time, length);
  }

  /** Start all stems at the same sample, `offset` seconds into the region; `region` is [start, end] or null to end. */
  start(when, offset, region, loop) {
    this.stop();
    this.running = { when, offset, region, loop };
    for (const lane of this.lanes) this.run(lane, this.source(lane.stem), when);
    this.lanes[0].source.onended = () => this.ended?.();
  }

  /**
   * Other stems, of the same length: what has the same buffer sounds on, the rest fades in and out where it has got to.
   *
   * From `time` on; while it is running, a little later than now by itself.
   */
  become(stems, selected, time = null) {
    const lanes = stems.map((stem) => {
      const lane = this.lanes.find((one) => one.stem.key === stem.key && one.stem.buffer === stem.buffer);
      if (!lane) return this.lane(stem);
      lane.stem = stem;
      return lane;
    });
    const gone = this.lanes.filter((lane) => !lanes.includes(lane));
    // What takes time comes before the time is looked at.
    const sources = lanes.map((lane) => (lane.source || !this.running ? null : this.source(lane.stem)));
    const from = this.onGrid(time ?? this.context.currentTime + LEAD_S);
    this.lanes = lanes;
    this.selected = selected;
    sources.forEach((source, i) => source && this.run(lanes[i], source, from));
    this.settle(from);
    for (const { ramp, source } of gone) {
      ramp.move(0, from);
      source?.stop(from + 2 * FADE_S);
      if (source) source.onended = () => ramp.node.disconnect();
      else ramp.node.disconnect();
    }
  }

  source(stem) {
    const { region, loop } = this.running;
    const buffer = loop ? loopBuffer(this.context, stem.buffer, ...region) : stem.buffer;
    return new AudioBufferSourceNode(this.context, { buffer, loop });
  }

  /** The nearest time at which a sample of the stems that are running begins. */
  onGrid(time) {
    if (!this.running) return time;
    const { when } = this.running;
    const rate = this.context.sampleRate;
    return when + Math.max(0, Math.round((time - when) * rate)) / rate;
  }

  /** Let a source run from `time` on as if it had run all the while. */
  run(lane, source, time) {
    const { when, offset, region, loop } = this.running;
    const at = offset + time - when;
    lane.source = source;
    source.connect(lane.ramp.node);
    if (loop) source.start(time, at % source.buffer.duration);
    else source.start(time, region[0] + at, Math.max(0, region[1] - region[0] - at));
  }

  stop() {
    for (const lane of this.lanes) {
      if (!lane.source) continue;
      lane.source.onended = null;
      lane.source.stop();
      lane.source.disconnect();
      lane.source = null;
    }
    this.running = null;
  }

  dispose() {
    this.stop();
    for (const { ramp } of this.lanes) ramp.node.disconnect();
  }
}
