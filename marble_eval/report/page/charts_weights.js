// How much of the learned sum each layer has.
(() => {
  "use strict";
  const {
    known, counted, figure, sentence, plotted, tip, NO_VALUE, MARGIN, calledLayer, layerTicks,
    layerAxis, scoreAxis,
  } = MarbleCharts.parts;

  function sumWeights(el, { weights }) {
    const all = (weights ?? []).map((each, x) => ({
      ...each,
      name: String(each.layer),
      x,
      apart: false,
    }));
    const drawn = all.filter(({ weight }) => known(weight));
    const table = {
      caption: "Weights of the learned sum by layer.",
      heads: ["Layer", "Weight"],
      rows: all.map(({ name, weight }) => [name, known(weight) ? weight.toFixed(4) : NO_VALUE]),
    };
    if (drawn.length === 0) {
      sentence(el, "The learned sum has no weights to show.", table);
      return;
    }
    figure(el, {
      draw: (width) => drawWeights(width, all, drawn),
      caption: "What share of the learned sum each layer has. The dashed rule is an equal share.",
      table,
    });
  }

  function drawWeights(width, all, drawn) {
    const most = d3.greatest(drawn, ({ weight }) => weight);
    const least = d3.least(drawn, ({ weight }) => weight);
    const axis = layerAxis(
      layerTicks(all, (width - MARGIN.marginLeft - MARGIN.marginRight) / all.length),
    );
    const label =
      `Weights of the learned sum, ${counted(all.length, "layer")}: the largest ${most.weight.toFixed(3)} `
      + `(${calledLayer(most)}), the smallest ${least.weight.toFixed(3)} (${calledLayer(least)}).`;
    return plotted(label, {
      width,
      height: 180,
      ...MARGIN,
      marginBottom: axis.marginBottom,
      x: { domain: [-0.6, all.length - 0.4] },
      y: { domain: [Math.min(0, least.weight), Math.max(most.weight, 1 / all.length) * 1.06] },
      marks: [
        ...scoreAxis({ name: "weight", tick: d3.format(".3~g") }, 4),
        ...axis.marks,
        Plot.rect(drawn, {
          x1: ({ x }) => x - 0.36,
          x2: ({ x }) => x + 0.36,
          y1: 0,
          y2: "weight",
          fill: "var(--mc-accent)",
          className: "mc-bars",
        }),
        Plot.ruleY([1 / all.length], { stroke: "var(--mc-ink)", strokeDasharray: "5 3" }),
        Plot.ruleY([0], { stroke: "var(--mc-muted)" }),
        tip(drawn, {
          x: "x",
          y: "weight",
          title: (each) => `${calledLayer(each)}\nweight ${each.weight.toFixed(4)}`,
        }),
      ],
    });
  }

  Object.assign(MarbleCharts, { sumWeights });
})();
