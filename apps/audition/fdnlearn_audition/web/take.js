// Take away: how close each fit came, its parameters, exports, earlier results.

import { announce, choice, complaint, field, h, s } from "./dom.js";
import { ask, filePath, send } from "./server.js";
import { takeName } from "./store.js";

export function takePanel(panel, store) {
  const trouble = complaint();
  const chosen = choice([], undefined, () => draw());
  chosen.id = "take";
  const page = h("div.results");
  const input = h("input", { type: "file", id: "open-folder", webkitdirectory: true, multiple: true, onchange: () => open([...input.files]) });
  const bar = h("div.row.card", {}, h("div.grow.pick-take", { hidden: true }, field("Fit", chosen)), h("label.file", { for: "open-folder" }, "Open an earlier result folder", input));
  panel.append(bar, trouble.element, page);
  const files = ["fdn.json", "target.wav", "ir.wav", "metrics.json", "history.csv", "report.html"];

  async function open(list) {
    trouble.say(null);
    const wanted = list.filter((file) => files.includes(file.name) && file.webkitRelativePath.split("/").length <= 2);
    try {
      if (!wanted.some((file) => file.name === "fdn.json")) throw new Error("That folder holds no fdn.json; choose one that a fit wrote");
      const { place } = await ask("results/begin");
      for (const file of wanted) await send(`results/${place}/${file.name}`, file);
      const { shown } = await ask(`results/${place}`);
      store.keep(shown);
      chosen.value = shown.key;
      draw();
      announce("The result is open");
    } catch (error) {
      trouble.say(error.message);
    } finally {
      input.value = "";
    }
  }

  function draw() {
    const take = store.takes.find((one) => one.key === chosen.value) ?? store.takes[0];
    bar.firstChild.hidden = !take;
    if (!take) {
      page.replaceChildren(h("p.empty", {}, "Nothing to take away yet: fit a recording, or open a folder that fdnlearn fit wrote."));
      return;
    }
    page.replaceChildren(verdict(take), ...(take.table ? [table(take)] : []), parameters(take), exports(take));
  }

  store.on("takes", (take) => {
    chosen.replaceChildren(...store.takes.map((one) => h("option", { value: one.key }, takeName(one, store.takes))));
    chosen.value = take.key;
    draw();
  });
  draw();
  return { shown: draw, hidden() {}, key: () => false };
}

function verdict(take) {
  const octaves = take.verdict?.octaves;
  const all = octaves ? octaves.within + octaves.near + octaves.beyond : 0;
  return h("section.card.verdict", { "aria-label": "Verdict" },
    h("h2", {}, take.verdict?.headline ?? "A network without measurements"),
    take.verdict?.details ? h("p", {}, take.verdict.details) : null,
    all ? h("div.share", { role: "img", "aria-label": `In octaves: ${octaves.within} of ${all} within 1 JND, ${octaves.near} within 2, ${octaves.beyond} beyond` },
      ["within", "near", "beyond"].filter((grade) => octaves[grade]).map((grade) => h(`span.${grade}`, { style: `flex:${octaves[grade]}` }, String(octaves[grade])))) : null,
    h("dl.facts", {}, [...take.facts, ...take.curve_errors.map((row) => [row.symbol, row.text])].map(([name, value]) => h("div", {}, h("dt", {}, name), h("dd", {}, value)))),
    take.warnings.length ? h("ul.warnings", {}, take.warnings.map((line) => h("li", {}, line))) : null);
}

function table(take) {
  const { columns, rows } = take.table;
  return h("section.card", { "aria-labelledby": "h-octaves" },
    h("h2", { id: "h-octaves" }, "Octave by octave"),
    h("p.hint", {}, "Difference to the room; colour and mark say how audible it is. Room and fit in small print."),
    h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Table of differences" },
      h("table.octaves", {},
        h("thead", {}, h("tr", {}, h("td", {}), columns.map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, rows.map((row) => h("tr", {}, h("th", { scope: "row", title: row.title }, row.symbol),
          row.cells.map((cell) => h("td", { class: `grade-${cell.grade}`, title: cell.note || cell.words },
            h("span.mark", {}, h("span", { "aria-hidden": "true" }, cell.mark), h("span.visually-hidden", {}, cell.words)), " ", cell.text,
            h("small", {}, `${cell.room} → ${cell.fit}`)))))))),
    h("p.legend.grades", {}, ["within|✓ within 1 JND", "near|≈ 1 to 2 JND", "beyond|✗ beyond", "unjudged|· no JND", "not-counted|– the recording does not allow it"].map((one) => {
      const [grade, words] = one.split("|");
      return h(`span.grade-${grade}`, {}, words);
    })));
}

function parameters(take) {
  const p = take.parameters;
  const n = p.delays_ms.length;
  const rows = p.delays_ms.map((delay, i) => ({ delay, input: p.input_gains[i][0], output: p.output_gains[0][i], times: p.times_s[i] }));
  const longest = Math.max(...p.delays_ms);
  const loudest = Math.max(...rows.flatMap((row) => [Math.abs(row.input), Math.abs(row.output)]), 1e-9);
  const bar = (value, most, look) => h("td.meter", {}, h(`span.${look}`, { style: `width:${(100 * Math.abs(value)) / most}%` }), h("em", {}, value.toFixed(look === "delay" ? 2 : 3).replace("-", "−")));
  const spread = (times) => (times.length > 1 ? `${Math.min(...times).toFixed(2)} … ${Math.max(...times).toFixed(2)}` : times[0].toFixed(3));
  return h("section.card", { "aria-labelledby": "h-parameters" },
    h("h2", { id: "h-parameters" }, "Parameters"),
    h("div.parameters", {},
      h("div.scroll", { tabindex: 0, role: "region", "aria-label": "Table of delay lines" }, h("table.lines", {},
        h("thead", {}, h("tr", {}, ["Line", "Delay / ms", "In", "Out", "T60 / s"].map((name) => h("th", { scope: "col" }, name)))),
        h("tbody", {}, rows.map((row, i) => h("tr", {}, h("th", { scope: "row" }, String(i + 1)), bar(row.delay, longest, "delay"), bar(row.input, loudest, "gain"), bar(row.output, loudest, "gain"), h("td", {}, spread(row.times))))))),
      heatMap(p.matrix, n)));
}

/** The feedback matrix: red above zero, blue below, strength by opacity; every cell tells its number. */
function heatMap(matrix, n) {
  const size = 300 / n;
  const most = Math.max(...matrix.flat().map(Math.abs), 1e-9);
  const cells = matrix.flatMap((row, i) => row.map((value, j) =>
    s("rect", { x: j * size, y: i * size, width: size - (n < 20 ? 1 : 0), height: size - (n < 20 ? 1 : 0), rx: n < 20 ? 2 : 0, class: value < 0 ? "minus" : "plus", "fill-opacity": (Math.abs(value) / most).toFixed(3) },
      s("title", {}, `from line ${j + 1} to line ${i + 1}: ${value}`))));
  return h("figure.matrix", {}, s("svg", { viewBox: "0 0 300 300", role: "img", "aria-label": `Feedback matrix of ${n} lines, orthogonal` }, cells),
    h("figcaption", {}, h("strong", {}, "Feedback matrix"), " ", h("span", {}, "row i feeds line i; blue is negative")));
}

let offered = null;

/** Every export target that the server knows; asked for once. */
function targets() {
  offered ??= ask("targets").then((told) => told.targets);
  offered.catch(() => (offered = null));
  return offered;
}

function exports(take) {
  const trouble = complaint();
  const rate = choice([["", `${take.sample_rate_hz / 1000} kHz, as fitted`], ...[44100, 48000, 88200, 96000].filter((hz) => hz !== take.sample_rate_hz).map((hz) => [hz, `${hz / 1000} kHz`])], "");
  rate.id = "export-rate";
  const made = (target, row, name) => h("li", { "data-target": target }, row);
  const list = h("ul.targets");
  targets().then((offers) => list.append(...offers.map((target) => {
    const place = h("span.place", {});
    const button = h("button.small", { type: "button", "data-export": target.name, onclick: () => make(target.name, button, place) }, "Prepare");
    place.append(button);
    return made(target.name, [h("div", {}, h("strong", {}, target.name), h("span", {}, target.purpose), h("small", {}, target.proof)), place]);
  })), (error) => trouble.say(error.message));
  const everything = h("span.place", {});
  const all = h("button.primary", { type: "button", id: "export-all", onclick: () => make(null, all, everything) }, "Everything in one archive");
  everything.append(all);

  async function make(target, button, place) {
    trouble.say(null);
    button.disabled = true;
    try {
      const { rows } = await ask("export", { take: take.key, targets: target ? [target] : [], bundle: !target, rate: rate.value ? Number(rate.value) : null });
      const row = rows[0];
      if (row.problem) throw new Error(row.problem);
      const link = h("a.button", { href: filePath(take.key, row.file), download: row.file.split("/").at(-1), "data-download": target ?? "everything" }, "Download");
      place.replaceChildren(link);
      link.focus();
      announce(`${target ?? "Everything"} is ready to download`);
    } catch (error) {
      button.disabled = false;
      trouble.say(error.message);
    }
  }

  return h("section.card", { "aria-labelledby": "h-exports" },
    h("h2", { id: "h-exports" }, "Take away"),
    h("div.row", {}, field("Sample rate", rate), everything,
      take.has_report ? h("a.button", { href: filePath(take.key, "report.html"), download: "report.html", "data-download": "report" }, "HTML report") : null,
      h("a.button", { href: filePath(take.key, "fdn.json"), download: "fdn.json", "data-download": "fdn" }, "fdn.json")),
    trouble.element, list);
}
