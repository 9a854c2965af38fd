// Loudness after ITU-R BS.1770-4: K weighting, blocks of 400 ms, absolute and relative gate.

const BLOCK_S = 0.4;
const STEP_S = 0.1;
const ABSOLUTE_LUFS = -70;
const RELATIVE_LU = -10;

/** Integrated loudness in LUFS of channels (arrays of samples); -Infinity for silence. */
export function integratedLoudness(channels, sampleRate) {
  const squares = channels.map((samples) => weightedSquares(samples, sampleRate));
  const length = squares[0].length;
  const block = Math.min(length, Math.round(BLOCK_S * sampleRate));
  const step = Math.round(STEP_S * sampleRate);
  const sums = squares.map((square) => {
    const sum = new Float64Array(length + 1);
    for (let n = 0; n < length; ++n) sum[n + 1] = sum[n] + square[n];
    return sum;
  });
  const powers = [];
  for (let start = 0; start + block <= length; start += step) {
    powers.push(sums.reduce((total, sum) => total + (sum[start + block] - sum[start]) / block, 0));
  }
  const loud = powers.filter((power) => lufs(power) > ABSOLUTE_LUFS);
  if (!loud.length) return -Infinity;
  const gate = lufs(mean(loud)) + RELATIVE_LU;
  return lufs(mean(loud.filter((power) => lufs(power) > gate)));
}

const mean = (values) => values.reduce((sum, value) => sum + value, 0) / values.length;
const lufs = (power) => -0.691 + 10 * Math.log10(power);

/** Squares of the K-weighted samples. */
function weightedSquares(samples, sampleRate) {
  const [shelf, pass] = kWeighting(sampleRate);
  const out = new Float64Array(samples.length);
  let a = 0, b = 0, c = 0, d = 0;
  for (let n = 0; n < samples.length; ++n) {
    const x = samples[n];
    const y = shelf[0] * x + a;
    a = shelf[1] * x - shelf[3] * y + b;
    b = shelf[2] * x - shelf[4] * y;
    const z = pass[0] * y + c;
    c = pass[1] * y - pass[3] * z + d;
    d = pass[2] * y - pass[4] * z;
    out[n] = z * z;
  }
  return out;
}

/** The two sections (b0 b1 b2 a1 a2) at any rate; at 48 kHz they are the recommendation's table. */
function kWeighting(rate) {
  const shelf = () => {
    const k = Math.tan((Math.PI * 1681.974450955533) / rate);
    const q = 0.7071752369554196;
    const high = 10 ** (3.999843853973347 / 20);
    const band = high ** 0.4996667741545416;
    const a0 = 1 + k / q + k * k;
    return [(high + (band * k) / q + k * k) / a0, (2 * (k * k - high)) / a0, (high - (band * k) / q + k * k) / a0,
      (2 * (k * k - 1)) / a0, (1 - k / q + k * k) / a0];
  };
  const pass = () => {
    const k = Math.tan((Math.PI * 38.13547087602444) / rate);
    const q = 0.5003270373238773;
    const a0 = 1 + k / q + k * k;
    return [1, -2, 1, (2 * (k * k - 1)) / a0, (1 - k / q + k * k) / a0];
  };
  return [shelf(), pass()];
}
