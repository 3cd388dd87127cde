// The parts of a drawing: shades and the ink on them, axes, marks of groups, names of layers.
(() => {
  "use strict";
  const {
    make, known, padded, isolated, shortened, textWidth, counted,
  } = MarbleCharts.parts;
  const MARGIN = { marginLeft: 46, marginRight: 20, marginTop: 30, marginBottom: 44 };

  // From low to high, in words at both ends.
  function shadeKey(low, high) {
    const bar = make("span", { "aria-hidden": "true" });
    bar.style.cssText =
      "display:inline-block;width:9rem;min-width:3rem;flex-shrink:1;height:.8rem;border:1px solid var(--mc-line);"
      + `background:linear-gradient(to right, ${[0, 25, 50, 75, 100].map((each) => shade(each)).join(", ")})`;
    const end = (text) => make("span", { style: "white-space:nowrap" }, text);
    return make("ul", { class: "mc-key" }, make("li", null, end(low), bar, end(high)));
  }

  function shade(percent) {
    return `color-mix(in oklab, var(--mc-high) ${percent.toFixed(1)}%, var(--mc-surface))`;
  }

  // Text on a shade: black or white, whichever stands out more. The shades cross the middle
  // grey, where both are 4.6:1, at 64 % in the light theme and at 48 % in the dark one.
  function inkOn(percent) {
    return `light-dark(${percent < 64.2 ? "#000" : "#fff"}, ${percent < 48 ? "#fff" : "#000"})`;
  }

  // What every drawing by Plot has in common.
  function plotted(label, options) {
    const svg = Plot.plot({
      className: "mc-svg",
      style: { fontSize: "12px", background: "transparent", overflow: "visible" },
      ...options,
    });
    svg.setAttribute("role", "img");
    svg.setAttribute("aria-label", label);
    return svg;
  }

  function tip(data, channels) {
    return Plot.tip(
      data,
      Plot.pointer({ fontSize: 12, lineHeight: 1.35, stroke: "var(--mc-muted)", ...channels }),
    );
  }

  // Groups differ by shape and dash as well as by colour; more than these are drawn alike.
  const LOOKS = [
    { shape: "Circle", color: "var(--mc-accent)", dash: null },
    { shape: "Triangle", color: "var(--mc-accent-2)", dash: "6 3" },
    { shape: "Square", color: "var(--mc-ink)", dash: "2 3" },
    { shape: "Diamond", color: "var(--mc-accent)", dash: "8 3 2 3", hollow: true },
    { shape: "Star", color: "var(--mc-accent-2)", dash: "1 3", hollow: true },
  ];

  function looks(names) {
    return new Map(
      names.map((name, i) => [name, names.length <= LOOKS.length ? LOOKS[i] : LOOKS[0]]),
    );
  }

  function keyOf(look) {
    return look.size > 1 && look.size <= LOOKS.length
      ? [...look].map(([name, { shape, color, hollow }]) => ({ shape, color, hollow, text: name }))
      : [];
  }

  function dots(points, look, groupOf, at) {
    return d3.groups(points, groupOf).map(([group, own]) => {
      const { shape, color, hollow } = look.get(group);
      return Plot.dot(own, {
        ...at,
        symbol: shape.toLowerCase(),
        r: 4.5,
        fill: hollow ? "var(--mc-surface)" : color,
        stroke: color,
        strokeWidth: 1.5,
        className: "mc-dots",
      });
    });
  }

  function whiskers(points, scores, x, color) {
    return Plot.ruleX(
      points.filter(({ low, high }) => known(low) && known(high)),
      {
        x,
        y1: ({ low }) => scores.scaled(low),
        y2: ({ high }) => scores.scaled(high),
        stroke: color,
        strokeOpacity: 0.75,
        strokeWidth: 1.2,
        className: "mc-interval",
      },
    );
  }

  function scoreAxis(scores, ticks = 5) {
    return [
      Plot.gridY({ stroke: "var(--mc-muted)", strokeOpacity: 0.22, ticks }),
      Plot.axisY({ ticks, tickSize: 0, tickFormat: scores.tick, label: null }),
      Plot.text([scores.name], {
        frameAnchor: "top-left",
        dx: -MARGIN.marginLeft,
        dy: -22,
        fill: "var(--mc-muted)",
      }),
    ];
  }

  function costAxis(name, ticks, format) {
    return [
      Plot.axisX({ ticks, tickFormat: format, tickSize: 4, label: null }),
      Plot.text([`${name} →`], {
        frameAnchor: "bottom-right",
        dy: 40,
        lineAnchor: "bottom",
        fill: "var(--mc-muted)",
      }),
    ];
  }

  function scoreDomain(points, scores) {
    return padded(
      points
        .flatMap(({ value, low, high }) => [value, low, high])
        .filter(known)
        .map(scores.scaled),
    );
  }

  function short(value) {
    return Math.abs(value) >= 1000
      ? d3.format(".4~s")(value).replace("G", "B")
      : d3.format(".4~g")(value).replace("-", "−");
  }

  // Points that cannot be drawn are counted; their numbers stand in the table.
  function leftOut(count) {
    return count > 0
      ? ` ${counted(count, "point")} without a value ${count === 1 ? "is" : "are"} not drawn.`
      : "";
  }

  function isNumber(name) {
    return /^\d+$/.test(String(name));
  }

  function calledLayer({ name }) {
    return isNumber(name) ? `layer ${name}` : isolated(name);
  }

  // As many names as fit; long ones are turned. What stands apart is always named.
  function layerTicks(all, step) {
    const names = new Map(all.map(({ x, name }) => [x, shortened(name, 14)]));
    const widest = d3.max(names.values(), (name) => textWidth(name));
    const rotate = widest + 6 > step && all.some(({ name, apart }) => !apart && !isNumber(name));
    const every = Math.ceil((rotate ? 14 : widest + 6) / step);
    const free =
      (d3.min(
        all.filter(({ apart }) => apart),
        ({ x }) => x,
      ) ?? Infinity)
      - (rotate ? 14 : widest + 4) / step;
    const places = all
      .filter(({ x, apart }, i) => apart || (i % every === 0 && x <= free))
      .map(({ x }) => x);
    return { places, rotate: rotate ? -40 : 0, text: (x) => names.get(x) };
  }

  // The axis below a chart of layers, and the room that it needs.
  function layerAxis(ticks) {
    return {
      marginBottom: ticks.rotate ? 84 : 42,
      marks: [
        Plot.axisX({
          ticks: ticks.places,
          tickFormat: ticks.text,
          tickRotate: ticks.rotate,
          tickSize: 4,
          label: null,
        }),
        Plot.text(["layer"], {
          frameAnchor: "bottom-right",
          dy: ticks.rotate ? 78 : 38,
          lineAnchor: "bottom",
          fill: "var(--mc-muted)",
        }),
      ],
    };
  }

  Object.assign(MarbleCharts.parts, {
    MARGIN, LOOKS, shadeKey, shade, inkOn, plotted, tip, looks, keyOf, dots, whiskers,
    scoreAxis, costAxis, scoreDomain, short, leftOut, isNumber, calledLayer, layerTicks,
    layerAxis,
  });
})();
