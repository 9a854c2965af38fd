// The player's graph: every stem runs all the time on one timeline, gains alone decide which is heard.
//
// Works on any BaseAudioContext, so that an offline context can prove what a live one plays.

/** Length of the cross-fade between stems, seconds. */
export const FADE_S = 0.008;

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
 * Stems side by side.
 *
 * `stems` are { key, buffer, gain } of one rate; `dry` is the key of the one that the mix adds to the others.
 */
export class Graph {
  constructor(context, destination, stems, dry = null) {
    this.context = context;
    this.stems = stems;
    this.dry = dry;
    this.selected = null;
    this.wet = 1;
    this.sources = [];
    this.ramps = new Map(stems.map((stem) => [stem.key, new Ramp(context, 0)]));
    for (const ramp of this.ramps.values()) ramp.node.connect(destination);
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
    for (const stem of this.stems) stem.gain = byKey.get(stem.key) ?? stem.gain;
    this.settle(time, 0.03);
  }

  settle(time, length = FADE_S) {
    for (const stem of this.stems) this.ramps.get(stem.key).move(this.level(stem), time, length);
  }

  /** Start all stems at the same sample, `offset` seconds into the region; `region` is [start, end] or null to end. */
  start(when, offset, region, loop) {
    this.stop();
    this.sources = this.stems.map((stem) => {
      const buffer = loop ? loopBuffer(this.context, stem.buffer, ...region) : stem.buffer;
      const source = new AudioBufferSourceNode(this.context, { buffer, loop });
      source.connect(this.ramps.get(stem.key).node);
      if (loop) source.start(when, offset);
      else source.start(when, region[0] + offset, region[1] - region[0] - offset);
      return source;
    });
  }

  stop() {
    for (const source of this.sources) {
      source.onended = null;
      source.stop();
      source.disconnect();
    }
    this.sources = [];
  }

  dispose() {
    this.stop();
    for (const ramp of this.ramps.values()) ramp.node.disconnect();
  }
}
