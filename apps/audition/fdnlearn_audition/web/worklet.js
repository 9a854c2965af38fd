
// A network that can be replaced while it runs, its early and its late part apart.
//
// Each part is a Network of its own, made of the same numbers: one without taps, one with a single silent line.

const FADE_S = 0.03;

/** The part of a network that its taps make: direct sound and early reflections. */
function earlyPart(n) {
  return { ...n, delays: [1], feedback: [[0]], sections: [[]], tone: [],
    inputGains: [n.inputGains[0].map(() => 0)], outputGains: n.outputGains.map(() => [0]) };
}

class Parts {
  constructor(data) {
    this.data = data;
    this.early = new Network(earlyPart(data));
    this.late = new Network({ ...data, runs: [] });
  }

  /** Take over what sounds in another: the past of the input, and what travels in the lines, stretched to their length. */
  takeOver(other) {
    for (const part of ["early", "late"]) {
      const to = this[part], from = other[part];
      for (let k = 0; k < Math.min(to.past.length, from.past.length); ++k) {
        for (let age = 0; age < Math.min(to.length, from.length); ++age) {
          const there = to.now - age < 0 ? to.now - age + to.length : to.now - age;
          to.past[k][there] = to.past[k][there + to.length] = from.past[k][from.now + from.length - age];
        }
      }
    }
    const to = this.late, from = other.late;
    if (to.lines.length !== from.lines.length) return;
    for (let i = 0; i < to.lines.length; ++i) {
      const a = from.lines[i], b = to.lines[i];
      for (let n = 0; n < b.length; ++n) {
        const x = (n * a.length) / b.length, whole = Math.floor(x), part = x - whole;
        const value = (k) => (k < a.length ? a[(from.at[i] + k) % a.length] : 0);
        b[n] = part ? (1 - part) * value(whole) + part * value(whole + 1) : value(whole);
      }
      to.at[i] = 0;
      const here = to.absorption[i].state, there = from.absorption[i].state;
      if (here.length === there.length) here.set(there);
    }
  }
}

class RoomNetwork extends AudioWorkletProcessor {
  static get parameterDescriptors() {
    return ["early", "late"].map((name) => ({ name, defaultValue: 1, minValue: 0, maxValue: 4 }));
  }

  constructor(options) {
    super(options);
    this.parts = new Parts(options.processorOptions.network);
    this.leaving = null;
    this.faded = 0;
    const outputs = options.processorOptions.network.outputGains.length;
    this.buffers = Array.from({ length: 4 }, () => Array.from({ length: outputs }, () => new Float32Array(128)));
    this.port.onmessage = ({ data }) => {
      if (data.end) this.ended = true;
      else {
        const next = new Parts(data.network);
        next.takeOver(this.parts);
        this.leaving = this.parts;
        this.parts = next;
        this.faded = 0;
        this.port.postMessage({ heard: data.id });
      }
    };
  }

  process(inputs, outputs, parameters) {
    const output = outputs[0], frames = output[0].length, input = inputs[0];
    const [early, late, oldEarly, oldLate] = this.buffers;
    this.parts.early.process(input, early, frames);
    this.parts.late.process(input, late, frames);
    if (this.leaving) {
      this.leaving.early.process(input, oldEarly, frames);
      this.leaving.late.process(input, oldLate, frames);
    }
    const gain = (name, n) => (parameters[name].length > 1 ? parameters[name][n] : parameters[name][0]);
    for (let o = 0; o < output.length; ++o) {
      for (let n = 0; n < frames; ++n) {
        const e = gain("early", n), l = gain("late", n);
        let y = e * early[o][n] + l * late[o][n];
        if (this.leaving) {
          const part = Math.min(1, (this.faded + n) / (FADE_S * sampleRate));
          y = part * y + (1 - part) * (e * oldEarly[o][n] + l * oldLate[o][n]);
        }
        output[o][n] = y;
      }
    }
    if (this.leaving) {
      this.faded += frames;
      if (this.faded > FADE_S * sampleRate) this.leaving = null;
    }
    return !this.ended;
  }
}

registerProcessor("room-network", RoomNetwork);
