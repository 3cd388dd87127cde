// Charts of the report page: what every one of them shares. A chart is a figure with its
// drawing, a key and a caption, then the same numbers as a table. Names from result files
// go in as text nodes alone; scores are raw and shown in their unit; null is never a number.
(() => {
  "use strict";

  // The page's own colours serve where it sets none for charts. Contrast of marks and of
  // text on both grounds is tested; blue and orange differ for colour-blind readers too.
  const STYLE = `
.mc, .mc-details {
  --mc-ink: var(--chart-ink, var(--text, light-dark(#1b2127, #e5e9ec)));
  --mc-muted: var(--chart-muted, var(--muted, light-dark(#525d68, #a3aeb8)));
  --mc-accent: var(--chart-accent, light-dark(#1c5a9c, #8dbcf2));
  --mc-accent-2: var(--chart-accent-2, light-dark(#b0480a, #f2a65e));
  --mc-band: var(--chart-band, light-dark(#1c5a9c26, #8dbcf230));
  --mc-surface: var(--chart-surface, var(--surface, light-dark(#ffffff, #191e23)));
  --mc-line: var(--line, light-dark(#dce1e6, #303941));
  --mc-high: light-dark(#08306b, #d6e8ff);
  color: var(--mc-ink);
}
.mc {
  margin: 0; padding: .8rem .9rem .7rem; min-width: 0; background: var(--mc-surface);
  border: 1px solid var(--mc-line); border-radius: 8px; font-size: 13px; line-height: 1.45;
}
.mc-plot { overflow-x: auto; min-width: 0; }
.mc-plot svg { display: block; max-width: 100%; height: auto; overflow: visible; }
.mc-plot svg text { font-family: inherit; }
.mc-svg { --plot-background: var(--mc-surface); }
.mc-scroll { overflow: auto; max-height: min(80vh, 46rem); position: relative; }
.mc-scroll svg { max-width: none; }
.mc-scroll:focus-visible { outline: 3px solid var(--mc-accent); outline-offset: 2px; }
.mc figcaption { color: var(--mc-muted); margin-top: .5rem; max-width: 100ch; overflow-wrap: anywhere; }
.mc-key { list-style: none; display: flex; flex-wrap: wrap; gap: .15rem 1.1rem; margin: 0 0 .5rem; padding: 0; }
.mc-key li { max-width: 100%; display: inline-flex; align-items: center; gap: .4rem; margin: 0; overflow-wrap: anywhere; }
.mc-key svg { flex: none; }
.mc-controls { display: flex; flex-wrap: wrap; gap: .4rem .9rem; margin: 0 0 .6rem; }
.mc-controls label { display: inline-flex; align-items: center; gap: .4rem; color: var(--mc-muted); }
.mc-none { margin: 0; color: var(--mc-ink); overflow-wrap: anywhere; }
.mc-details { margin: .4rem 0 1rem; font-size: 13px; }
.mc-details summary { cursor: pointer; padding: .25rem 0; color: var(--mc-muted); }
.mc-details .region { overflow: auto; max-height: min(70vh, 30rem); }`;

  const NO_VALUE = "no value";
  const EAGER_CELLS = 3000; // a longer table is built when it is opened

  function addStyle() {
    if (!document.getElementById("mc-style")) {
      const style = make("style", { id: "mc-style" }, STYLE);
      document.head.append(style);
    }
  }

  function make(name, attributes, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes ?? {})) {
      made.setAttribute(key, value);
    }
    made.append(...children.flat().filter((each) => each !== null && each !== undefined));
    return made;
  }

  function known(value) {
    return typeof value === "number" && Number.isFinite(value);
  }

  // How scores of a metric are scaled and said.
  function scoresOf(metric, unit) {
    const factor = unit === "percent" ? 100 : 1; // a share is shown in percent
    const mark = unit ? unitSuffix(unit) : "";
    const scaled = (value) => (known(value) ? value * factor : NaN);
    const shown = (value) =>
      known(value) ? scoreText(value * factor, unit) : NO_VALUE;
    const interval = ({ low, high }) =>
      known(low) && known(high) ? ` [${shown(low)}, ${shown(high)}]` : "";
    const tick = (value) => d3.format(".6~g")(value);
    return {
      name: `${metric ?? "score"}${mark}`,
      metric: metric ?? "score",
      scaled,
      shown,
      interval,
      tick,
    };
  }

  // A domain a little wider than the values; one value alone gets room on both sides.
  function padded(values, share = 0.06) {
    const [low, high] = d3.extent(values.filter(known));
    const room = high > low ? (high - low) * share : Math.max(Math.abs(high) * 0.05, 0.05);
    return [low - room, high + room];
  }

  // Drawn text is broken at line ends, which a name may hold.
  function oneLine(text) {
    return String(text)
      .replace(/[\s\u0000-\u001f\u007f-\u009f]+/g, " ")
      .trim();
  }

  // A name beside other words: kept apart, so that its direction turns nothing around it.
  function isolated(text) {
    const plain = oneLine(text);
    return /^[\x20-\x7e\u2212]*$/.test(plain) ? plain : `\u2068${plain}\u2069`;
  }

  function shortened(text, length) {
    const signs = Array.from(oneLine(text));
    return signs.length > length ? `${signs.slice(0, length - 1).join("")}…` : signs.join("");
  }

  const PEN = document.createElement("canvas").getContext("2d");

  function textWidth(text, size = 12) {
    PEN.font = `${size}px system-ui, -apple-system, "Segoe UI", Roboto, "Noto Sans", sans-serif`;
    return PEN.measureText(text).width;
  }

  function counted(number, noun) {
    return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
  }

  // A mark of the key, as it is drawn: {shape, color, hollow, dashed, text}.
  function keyItem({ shape, color = "var(--mc-accent)", hollow = false, dashed = false, text }) {
    const svg = d3
      .create("svg")
      .attr("width", 26)
      .attr("height", 14)
      .attr("viewBox", "-13 -7 26 14")
      .attr("aria-hidden", "true");
    if (shape === "band") {
      svg
        .append("rect")
        .attr("x", -13)
        .attr("y", -6)
        .attr("width", 26)
        .attr("height", 12)
        .attr("fill", "var(--mc-band)");
    }
    if (shape === "line" || shape === "band") {
      svg
        .append("line")
        .attr("x1", -13)
        .attr("x2", 13)
        .attr("stroke", color)
        .attr("stroke-width", 1.8)
        .attr("stroke-dasharray", dashed ? "5 3" : null);
    } else if (shape === "whisker") {
      svg
        .append("line")
        .attr("y1", -7)
        .attr("y2", 7)
        .attr("stroke", color)
        .attr("stroke-width", 1.5);
    } else {
      svg
        .append("path")
        .attr("d", d3.symbol(d3[`symbol${shape}`], 64)())
        .attr("fill", hollow ? "var(--mc-surface)" : color)
        .attr("stroke", color)
        .attr("stroke-width", 1.6);
    }
    return make("li", null, svg.node(), make("bdi", null, text));
  }

  const watchers = new WeakMap();

  // Draw now and whenever the width changes by more than a scroll bar, which drawing itself
  // may bring or take; between redraws the drawing is scaled.
  function keepDrawn(el, space, draw) {
    let drawn = 0;
    const paint = (wanted) => {
      const width = Math.floor(space.clientWidth);
      if (width > 0 && (wanted || Math.abs(width - drawn) > 17)) {
        drawn = width;
        space.replaceChildren(draw(Math.max(width, 240)));
      }
    };
    watchers.get(el)?.disconnect();
    const watcher = new ResizeObserver(() => requestAnimationFrame(() => paint(false)));
    watchers.set(el, watcher);
    watcher.observe(space);
    paint(true);
    return () => paint(true);
  }

  // The whole of a chart. Returns what draws it again after a control changed.
  function figure(el, { draw, caption, key = [], controls = null, shades = null, table }) {
    addStyle();
    const space = make("div", { class: "mc-plot" });
    el.append(
      make(
        "figure",
        { class: "mc" },
        controls,
        key.length > 0 ? make("ul", { class: "mc-key" }, key.map(keyItem)) : null,
        shades,
        space,
        make("figcaption", null, caption),
      ),
      numbers(table),
    );
    return keepDrawn(el, space, draw);
  }

  // Where there is nothing to draw a sentence says so; what numbers there are still follow.
  function sentence(el, text, table = null) {
    addStyle();
    watchers.get(el)?.disconnect();
    el.append(make("div", { class: "mc" }, make("p", { class: "mc-none" }, text)));
    if (table && table.rows.length > 0) {
      el.append(numbers(table));
    }
  }

  function numbers({ caption, heads, rows }) {
    const region = make("div", {
      class: "region",
      tabindex: "0",
      role: "region",
      "aria-label": caption,
    });
    const details = make(
      "details",
      { class: "mc-details" },
      make("summary", null, "Numbers"),
      region,
    );
    const fill = () => {
      if (region.childElementCount === 0) {
        region.append(tableOf(caption, heads, rows));
      }
    };
    if (rows.length * heads.length <= EAGER_CELLS) {
      fill();
    }
    details.addEventListener("toggle", fill);
    return details;
  }

  function tableOf(caption, heads, rows) {
    const cell = (text, i) =>
      i === 0
        ? make("th", { scope: "row" }, make("bdi", null, text))
        : make("td", { class: "num" }, text);
    return make(
      "table",
      null,
      make("caption", null, caption),
      make(
        "thead",
        null,
        make(
          "tr",
          null,
          heads.map((head, i) =>
            make("th", { scope: "col", class: i > 0 ? "num" : "" }, make("bdi", null, head)),
          ),
        ),
      ),
      make(
        "tbody",
        null,
        rows.map((row) =>
          make(
            "tr",
            null,
            row.map((each, i) => cell(String(each), i)),
          ),
        ),
      ),
    );
  }

  window.MarbleCharts = Object.defineProperty({}, "parts", {
    value: {
      make, known, scoresOf, padded, isolated, shortened, textWidth, counted, figure, sentence,
      NO_VALUE,
    },
  });
})();
