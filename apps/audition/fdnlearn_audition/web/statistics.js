// Numbers of blind tests.

/** Probability of at least `right` hits in `trials` by guessing alone. */
export function binomialP(right, trials) {
  let sum = 0;
  for (let k = right; k <= trials; ++k) sum += Math.exp(logChoose(trials, k) - trials * Math.LN2);
  return Math.min(1, sum);
}

function logChoose(n, k) {
  let log = 0;
  for (let i = 1; i <= k; ++i) log += Math.log(n - k + i) - Math.log(i);
  return log;
}

/** A whole number below `below`, every one as likely as the next. */
export function chance(below) {
  const limit = Math.floor(0x100000000 / below) * below;
  const draw = new Uint32Array(1);
  do crypto.getRandomValues(draw);
  while (draw[0] >= limit);
  return draw[0] % below;
}

export function shuffled(list) {
  const out = [...list];
  for (let i = out.length - 1; i > 0; --i) {
    const j = chance(i + 1);
    [out[i], out[j]] = [out[j], out[i]];
  }
  return out;
}

/** Rows as CSV (RFC 4180); a text that a spreadsheet would take for a formula is led by an apostrophe. */
export function csv(rows) {
  const cell = (value) => {
    const raw = value === null || value === undefined ? "" : String(value);
    const text = typeof value === "string" && /^[=+\-@\t\r]/.test(raw) ? `'${raw}` : raw;
    return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
  };
  return rows.map((row) => row.map(cell).join(",")).join("\r\n") + "\r\n";
}
