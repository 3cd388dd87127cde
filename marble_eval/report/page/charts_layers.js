// The score of every layer, what was chosen and what a paper reports.
(() => {
  "use strict";
  const {
    known, scoresOf, padded, isolated, shortened, textWidth, counted, figure, sentence, plotted,
    tip, MARGIN, isNumber, calledLayer, layerTicks, layerAxis, scoreAxis,
  } = MarbleCharts.parts;
  const HALO = { stroke: "var(--mc-surface)", strokeWidth: 4, paintOrder: "stroke" };

  // Numbered layers stand one step apart; the learned sum and the like come after a gap,
  // since the line along the depth of the network does not lead to them.
  function placed(layers) {
    const numbered = layers.filter(({ name }) => isNumber(name));
    const apart = numbered.length > 0 ? layers.filter(({ name }) => !isNumber(name)) : [];
    const along =
      numbered.length > 0
        ? numbered.toSorted((one, other) => Number(one.name) - Number(other.name))
        : layers;
    return [
      ...along.map((each, i) => ({ ...each, name: String(each.name), x: i, apart: false })),
      ...apart.map((each, i) => ({
        ...each,
        name: String(each.name),
        x: along.length + 0.4 + i,
        apart: true,
      })),
    ];
  }

  function kind({ chosen, tied }) {
    return chosen ? "chosen" : tied ? "tied" : "other";
  }

  const MARKS = {
    other: { symbol: "circle", r: 3.2, fill: "var(--mc-accent)" },
    tied: { symbol: "triangle", r: 5, fill: "var(--mc-surface)" },
    chosen: { symbol: "diamond", r: 7.5, fill: "var(--mc-accent)" },
  };

  function layerCurve(el, { layers, metric, unit, published }) {
    const scores = scoresOf(metric, unit);
    const all = placed(layers ?? []);
    const drawn = all.filter(({ value }) => known(value));
    const table = layerTable(all, scores, published);
    if (drawn.length === 0) {
      sentence(el, all.length === 0 ? "No layer was scored." : "No layer has a test score.", table);
      return;
    }
    if (all.length === 1) {
      sentence(el, oneLayer(all[0], scores, published), table);
      return;
    }
    figure(el, {
      draw: (width) => drawLayers(width, all, drawn, scores, published),
      key: layerKey(all, published),
      caption:
        "Test score of every layer, with its interval where there is one: shown, not chosen from. "
        + "The layer was chosen on validation.",
      table,
    });
  }

  function oneLayer(layer, scores, published) {
    const valid = known(layer.valid) ? `, ${scores.shown(layer.valid)} on validation` : "";
    const said = known(published) ? ` Published: ${scores.shown(published)}.` : "";
    return (
      `One ${isNumber(layer.name) ? "layer" : "representation"} only (${isolated(layer.name)}): ${scores.name} `
      + `${scores.shown(layer.value)}${scores.interval(layer)} on test${valid}.${said}`
    );
  }

  function layerKey(all, published) {
    const has = (test) => all.some(test);
    return [
      { shape: has(({ apart }) => !apart) ? "band" : "whisker", text: "test score, interval" },
      has(({ chosen }) => chosen) && { shape: "Diamond", text: "chosen on validation" },
      has(({ tied, chosen }) => tied && !chosen) && {
        shape: "Triangle",
        hollow: true,
        text: "tied with the best on validation",
      },
      has(({ valid }) => known(valid)) && {
        shape: "line",
        dashed: true,
        color: "var(--mc-accent-2)",
        text: "validation score",
      },
      known(published) && { shape: "line", color: "var(--mc-ink)", text: "published" },
    ].filter(Boolean);
  }

  function layerTable(all, scores, published) {
    const said = known(published) ? ` Published value: ${scores.shown(published)}.` : "";
    return {
      caption: `${scores.name} by layer. Test scores are shown, not chosen from.${said}`,
      heads: ["Layer", "Test", "Low", "High", "Validation", "Setting", "Chosen on validation"],
      rows: all.map((each) => [
        each.name,
        ...[each.value, each.low, each.high, each.valid].map(scores.shown),
        each.setting ?? "–",
        { chosen: "chosen", tied: "tied", other: "–" }[kind(each)],
      ]),
    };
  }

  function layersSaid(all) {
    const apart = all.filter((each) => each.apart).map(calledLayer);
    return [counted(all.length - apart.length, "layer"), ...apart].join(" and ");
  }

  function layerSentence(all, drawn, scores, published) {
    const best = d3.greatest(drawn, ({ value }) => value);
    const least = d3.least(drawn, ({ value }) => value);
    const chosen = all.find((each) => each.chosen);
    return (
      `${scores.name} on test by layer, ${layersSaid(all)}: from ${scores.shown(least.value)} `
      + `(${calledLayer(least)}) to ${scores.shown(best.value)} (${calledLayer(best)}).`
      + (chosen
        ? ` Chosen on validation: ${calledLayer(chosen)}, ${scores.shown(chosen.value)}${scores.interval(chosen)}.`
        : "")
      + (known(published) ? ` Published: ${scores.shown(published)}.` : "")
    );
  }

  function drawLayers(width, all, drawn, scores, published) {
    const height = width < 480 ? 260 : 320;
    const along = drawn.filter(({ apart }) => !apart);
    const ticks = layerTicks(
      all,
      (width - MARGIN.marginLeft - MARGIN.marginRight) / (d3.max(all, ({ x }) => x) + 1),
    );
    const axis = layerAxis(ticks);
    const y = (name) => (each) => scores.scaled(each[name]);
    const bounded = drawn.filter(({ low, high }) => known(low) && known(high));
    const values = all
      .flatMap(({ value, low, high, valid }) => [value, low, high, valid])
      .concat(published);
    return plotted(layerSentence(all, drawn, scores, published), {
      width,
      height,
      ...MARGIN,
      marginBottom: axis.marginBottom,
      x: { domain: [-0.5, d3.max(all, ({ x }) => x) + 0.5] },
      y: { domain: padded(values.filter(known).map(scores.scaled)) },
      marks: [
        ...scoreAxis(scores),
        ...axis.marks,
        Plot.areaY(along, { x: "x", y1: y("low"), y2: y("high"), fill: "var(--mc-band)" }),
        Plot.line(
          all.filter(({ apart }) => !apart),
          {
            x: "x",
            y: y("valid"),
            stroke: "var(--mc-accent-2)",
            strokeWidth: 1.6,
            strokeDasharray: "5 3",
            className: "mc-valid",
          },
        ),
        validOutside(all, y),
        Plot.ruleX(bounded, {
          x: "x",
          y1: y("low"),
          y2: y("high"),
          stroke: "var(--mc-accent)",
          strokeWidth: 1.2,
          className: "mc-interval",
        }),
        Plot.line(along, { x: "x", y: y("value"), stroke: "var(--mc-accent)", strokeWidth: 1.8 }),
        publishedRule(published, drawn, scores),
        ...Object.entries(MARKS).map(([name, mark]) =>
          Plot.dot(
            drawn.filter((each) => kind(each) === name),
            {
              x: "x",
              y: y("value"),
              ...mark,
              stroke: "var(--mc-accent)",
              strokeWidth: 1.6,
              className: `mc-dots mc-${name}`,
            },
          ),
        ),
        chosenLabel(drawn, all, scores, width),
        tip(drawn, { x: "x", y: y("value"), title: (each) => tipText(each, scores) }),
      ],
    });
  }

  // A line would join the sum to the last layer; its validation score is a short dash.
  function validOutside(all, y) {
    return Plot.ruleY(
      all.filter(({ apart, valid }) => apart && known(valid)),
      {
        x1: ({ x }) => x - 0.3,
        x2: ({ x }) => x + 0.3,
        y: y("valid"),
        stroke: "var(--mc-accent-2)",
        strokeWidth: 1.8,
        strokeDasharray: "5 3",
      },
    );
  }

  // Its label stands at the end where the scores are farther from it.
  function publishedRule(published, drawn, scores) {
    const third = Math.ceil(drawn.length / 3);
    const far = (some) => d3.min(some, ({ value, high }) => Math.abs((high ?? value) - published));
    const side = far(drawn.slice(0, third)) < far(drawn.slice(-third)) ? "right" : "left";
    return known(published)
      ? [
          Plot.ruleY([published], {
            y: scores.scaled,
            stroke: "var(--mc-ink)",
            strokeWidth: 1.2,
            className: "mc-published",
          }),
          Plot.text([published], {
            y: scores.scaled,
            text: () => `published ${scores.shown(published)}`,
            frameAnchor: side,
            textAnchor: side === "left" ? "start" : "end",
            lineAnchor: "bottom",
            dx: side === "left" ? 4 : -4,
            dy: -5,
            fill: "var(--mc-ink)",
            ...HALO,
          }),
        ]
      : [];
  }

  function chosenLabel(drawn, all, scores, width) {
    const chosen = drawn.find((each) => each.chosen);
    if (!chosen) {
      return null;
    }
    const text = `chosen: ${calledLayer({ name: shortened(chosen.name, 18) })}, ${scores.shown(chosen.value)}`;
    const last = d3.max(all, ({ x }) => x) + 1;
    const half = (textWidth(text) / 2 + 6) / (width - MARGIN.marginLeft - MARGIN.marginRight);
    const at = (chosen.x + 0.5) / last;
    const anchor = at < half ? "start" : at > 1 - half ? "end" : "middle";
    return Plot.text([chosen], {
      x: "x",
      y: (each) => scores.scaled(known(each.high) ? each.high : each.value),
      text: () => text,
      textAnchor: anchor,
      dx: { start: -8, middle: 0, end: 8 }[anchor],
      dy: -7,
      lineAnchor: "bottom",
      fill: "var(--mc-ink)",
      fontWeight: 600,
      className: "mc-chosen-label",
      ...HALO,
    });
  }

  function tipText(each, scores) {
    return [
      `${calledLayer(each)}${{ chosen: ", chosen", tied: ", tied", other: "" }[kind(each)]}`,
      `test ${scores.shown(each.value)}${scores.interval(each)}`,
      `validation ${scores.shown(each.valid)}`,
    ].join("\n");
  }

  Object.assign(MarbleCharts, { layerCurve });
})();
