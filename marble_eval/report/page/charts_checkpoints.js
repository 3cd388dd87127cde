// Score by step of pre-training, a line an encoder.
(() => {
  "use strict";
  const {
    known, scoresOf, padded, isolated, counted, figure, sentence, plotted, tip, MARGIN, LOOKS,
    looks, keyOf, dots, whiskers, scoreAxis, costAxis, scoreDomain, short, leftOut,
  } = MarbleCharts.parts;

  function drawnAlike(look) {
    return look.size > LOOKS.length
      ? ` The ${look.size} encoders are drawn alike; the pointer and the table name them.`
      : "";
  }

  function checkpointCurve(el, { points, metric, unit }) {
    const scores = scoresOf(metric, unit);
    const all = d3.sort(
      (points ?? []).map((each) => ({ ...each, encoder: String(each.encoder ?? "") })),
      ({ step }) => step,
    );
    const drawn = all.filter(({ step, value }) => known(step) && known(value));
    const table = {
      caption: `${scores.name} by step of pre-training.`,
      heads: ["Encoder", "Step", "Score", "Low", "High"],
      rows: all.map(({ encoder, step, value, low, high }) => [
        encoder,
        known(step) ? step.toLocaleString("en") : "–",
        ...[value, low, high].map(scores.shown),
      ]),
    };
    if (drawn.length === 0) {
      sentence(el, "No checkpoint has a score.", table);
      return;
    }
    const look = looks([...new Set(drawn.map(({ encoder }) => encoder))]);
    figure(el, {
      draw: (width) => drawCheckpoints(width, drawn, scores, look),
      key: keyOf(look),
      caption: `Score on test by step of pre-training, with intervals.${drawnAlike(look)}${leftOut(all.length - drawn.length)}`,
      table,
    });
  }

  function drawCheckpoints(width, drawn, scores, look) {
    const best = d3.greatest(drawn, ({ value }) => value);
    const steps = d3.extent(drawn, ({ step }) => step);
    const y = ({ value }) => scores.scaled(value);
    const label =
      `${scores.name} by step, ${counted(drawn.length, "checkpoint")} of ${counted(look.size, "encoder")}, steps `
      + `${steps.map(short).join(" to ")}: best ${scores.shown(best.value)} at step ${short(best.step)} (${isolated(best.encoder)}), `
      + `lowest ${scores.shown(d3.min(drawn, ({ value }) => value))}.`;
    return plotted(label, {
      width,
      height: width < 480 ? 260 : 320,
      ...MARGIN,
      x: { domain: steps[0] < steps[1] ? padded(steps, 0.03) : [steps[0] - 1, steps[0] + 1] },
      y: { domain: scoreDomain(drawn, scores) },
      marks: [
        ...scoreAxis(scores),
        ...costAxis(
          "step",
          steps[0] < steps[1] ? Math.max(2, Math.floor(width / 110)) : steps.slice(1),
          short,
        ),
        ...d3
          .groups(drawn, ({ encoder }) => encoder)
          .flatMap(([encoder, own]) => {
            const { color, dash } = look.get(encoder);
            return [
              Plot.areaY(own, {
                x: "step",
                y1: ({ low }) => scores.scaled(low),
                y2: ({ high }) => scores.scaled(high),
                fill: color,
                fillOpacity: 0.12,
              }),
              whiskers(own, scores, "step", color),
              Plot.line(own, {
                x: "step",
                y,
                stroke: color,
                strokeWidth: 1.8,
                strokeDasharray: dash ?? undefined,
              }),
            ];
          }),
        ...dots(drawn, look, ({ encoder }) => encoder, { x: "step", y }),
        tip(drawn, {
          x: "step",
          y,
          title: (each) =>
            `${isolated(each.encoder)}\nstep ${each.step.toLocaleString("en")}\n${scores.shown(each.value)}${scores.interval(each)}`,
        }),
      ],
    });
  }

  Object.assign(MarbleCharts, { checkpointCurve });
})();
