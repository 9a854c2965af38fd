// Smaller magnitudes are silence: numbers never get small enough to be denormal, and so slow.
const SILENCE = 1e-30;

function quiet(x) {
  return Math.abs(x) < SILENCE ? 0 : x;
}

function cascade(sections) {
  const state = new Float64Array(2 * sections.length);
  return {
    state,
    filter(x) {
      for (let s = 0; s < sections.length; ++s) {
        const [b0, b1, b2, a1, a2] = sections[s];
        const y = b0 * x + state[2 * s];
        state[2 * s] = b1 * x - a1 * y + state[2 * s + 1];
        state[2 * s + 1] = b2 * x - a2 * y;
        x = y;
      }
      return x;
    },
  };
}

class Network {
  constructor(n) {
    const longest = n.runs.map((run) => run.delay + run.gains.length);
    this.n = n;
    this.lines = n.delays.map((delay) => new Float64Array(delay));
    this.at = new Int32Array(n.delays.length);
    this.length = Math.max(n.lateDelay + 1, ...longest);
    this.past = n.inputGains[0].map(() => new Float64Array(2 * this.length));
    this.now = 0;
    this.absorption = n.sections.map(cascade);
    this.tone = n.outputGains.map(() => cascade(n.tone));
    this.lowpass = n.outputGains.map(() => cascade(n.lowpass));
    this.runs = n.runs.map((run) => ({ ...run, gains: Float64Array.from(run.gains) }));
    this.feedback = n.feedback.map((row) => Float64Array.from(row));
    this.heard = new Float64Array(n.delays.length);
    this.late = new Float64Array(this.past.length);
    this.y = new Float64Array(n.outputGains.length);
  }

  process(inputs, outputs, frames) {
    const { n, lines, at, past, length, heard, late, y } = this;
    for (let t = 0; t < frames; ++t) {
      // every input is kept twice, so that any stretch of it lies in one piece
      this.now = this.now + 1 === length ? 0 : this.now + 1;
      const newest = this.now + length;
      for (let k = 0; k < past.length; ++k) {
        past[k][this.now] = past[k][newest] = k < inputs.length ? inputs[k][t] : 0;
        late[k] = past[k][newest - n.lateDelay];
      }
      for (let i = 0; i < lines.length; ++i) heard[i] = lines[i][at[i]];
      for (let o = 0; o < y.length; ++o) {
        let sum = 0;
        for (let i = 0; i < lines.length; ++i) sum += n.outputGains[o][i] * heard[i];
        y[o] = this.tone[o].filter(sum);
      }
      for (let i = 0; i < lines.length; ++i) heard[i] = this.absorption[i].filter(heard[i]);
      for (let i = 0; i < lines.length; ++i) {
        const row = this.feedback[i];
        let sum = 0;
        for (let k = 0; k < late.length; ++k) sum += n.inputGains[i][k] * late[k];
        for (let j = 0; j < lines.length; ++j) sum += row[j] * heard[j];
        lines[i][at[i]] = quiet(sum);
        at[i] = at[i] + 1 === n.delays[i] ? 0 : at[i] + 1;
      }
      for (const { output, input, delay, gains } of this.runs) {
        const x = past[input];
        let sum = 0;
        for (let tap = 0; tap < gains.length; ++tap) sum += gains[tap] * x[newest - delay - tap];
        y[output] += sum;
      }
      for (let o = 0; o < y.length; ++o) {
        const heardHere = this.lowpass[o].filter(y[o]);
        if (o < outputs.length) outputs[o][t] = heardHere;
      }
    }
    for (const filters of [this.absorption, this.tone, this.lowpass])
      for (const { state } of filters) for (let s = 0; s < state.length; ++s) state[s] = quiet(state[s]);
  }
}
