// The score of every label (tag, class, target): one metric at a time, a dot a label.
(() => {
  "use strict";
  const {
    make, known, scoresOf, padded, isolated, shortened, textWidth, counted, figure, sentence,
    plotted, tip, NO_VALUE,
  } = MarbleCharts.parts;
  const ROW = 20; // px
  const COLLATOR = new Intl.Collator("en", { numeric: true });

  // `units` ({metric: unit}) is optional; without it scores are shown as they are.
  function labelScores(el, { labels, units = {} }) {
    const all = (labels ?? []).map((each) => ({
      ...each,
      name: String(each.name),
      scores: each.scores ?? {},
    }));
    const metrics = [...new Set(all.flatMap((each) => Object.keys(each.scores)))];
    const kits = new Map(metrics.map((metric) => [metric, scoresOf(metric, units[metric] ?? "1")]));
    const table = labelTable(all, kits);
    const scored = metrics.filter((metric) => all.some((each) => known(each.scores[metric])));
    if (scored.length === 0) {
      sentence(
        el,
        all.length === 0 ? "There are no labels to score." : "No label has a score.",
        table,
      );
      return;
    }
    const view = { metric: scored[0], sort: "score" };
    const redraw = figure(el, {
      draw: (width) => drawLabels(width, all, view, kits.get(view.metric)),
      controls: controlsOf(view, scored, () => redraw()),
      caption: "A dot a label; n counts its items in the test set.",
      table,
    });
  }

  function controlsOf(view, metrics, changed) {
    const chooser = (name, key, choices) => {
      const select = make(
        "select",
        null,
        choices.map(([value, text]) => make("option", { value }, text)),
      );
      select.value = view[key];
      select.addEventListener("change", () => {
        view[key] = select.value;
        changed();
      });
      return make("label", null, name, select);
    };
    return make(
      "div",
      { class: "mc-controls" },
      chooser("Sort by", "sort", [
        ["score", "score"],
        ["name", "name"],
        ["n", "number of items"],
      ]),
      metrics.length > 1
        ? chooser(
            "Metric",
            "metric",
            metrics.map((metric) => [metric, metric]),
          )
        : null,
    );
  }

  // Why a label has no score, where its count tells it.
  function missing(n, value) {
    return known(value) ? null : n === 0 ? "no positive on test" : NO_VALUE;
  }

  function labelTable(all, kits) {
    return {
      caption: "Score of every label.",
      heads: ["Label", "n", ...[...kits.values()].map(({ name }) => name)],
      rows: all.map(({ name, n, scores }) => [
        name,
        n ?? "–",
        ...[...kits].map(([metric, kit]) => missing(n, scores[metric]) ?? kit.shown(scores[metric])),
      ]),
    };
  }

  // What has no score comes last when scores sort.
  function sorted(all, { sort, metric }) {
    const byName = (one, other) => COLLATOR.compare(one.name, other.name);
    const number = { score: ({ scores }) => scores[metric], n: ({ n }) => n }[sort];
    if (!number) {
      return all.toSorted(byName);
    }
    const of = (each) => (known(number(each)) ? number(each) : -Infinity);
    return all.toSorted((one, other) =>
      of(one) === of(other) ? byName(one, other) : of(other) - of(one),
    );
  }

  function labelSentence(rows, { metric, sort }, kit) {
    const drawn = rows.filter(({ scores }) => known(scores[metric]));
    const said = (each) => `${kit.shown(each.scores[metric])} (${isolated(each.name)})`;
    const none = rows.length - drawn.length;
    return (
      `${kit.name} of ${counted(rows.length, "label")}, sorted by ${sort}: from `
      + `${said(d3.least(drawn, ({ scores }) => scores[metric]))} to ${said(d3.greatest(drawn, ({ scores }) => scores[metric]))}.`
      + (none > 0 ? ` ${none} without a value.` : "")
    );
  }

  function drawLabels(width, all, view, kit) {
    const rows = sorted(all, view).map((each, at) => ({
      ...each,
      at,
      score: each.scores[view.metric],
    }));
    const length = width < 480 ? 16 : 30;
    const drawn = rows.filter(({ score }) => known(score));
    const shape = {
      width: width - 2,
      marginLeft: Math.ceil(d3.max(rows, ({ name }) => textWidth(shortened(name, length)))) + 14,
      marginRight: Math.ceil(d3.max(rows, ({ n }) => textWidth(`n ${n}`))) + 18,
      x: {
        domain: padded(
          drawn.map(({ score }) => kit.scaled(score)),
          0.04,
        ),
        ticks: Math.max(2, Math.min(8, width / 110)),
      },
    };
    const head = plotted("", {
      ...shape,
      height: 40,
      marginTop: 38,
      marginBottom: 0,
      marks: [
        Plot.axisX({ anchor: "top", ticks: shape.x.ticks, tickFormat: kit.tick, label: null }),
        Plot.text([`${kit.name} →`], {
          frameAnchor: "top-right",
          dy: -36,
          lineAnchor: "top",
          fill: "var(--mc-muted)",
        }),
      ],
    });
    head.removeAttribute("role");
    head.removeAttribute("aria-label");
    head.setAttribute("aria-hidden", "true");
    const top = make("div", null, head);
    top.style.cssText = "position:sticky;top:0;z-index:1;background:var(--mc-surface)";
    const region = make(
      "div",
      { class: "mc-scroll", tabindex: "0", role: "group", "aria-label": "Labels, scrolls" },
      top,
      drawRows(shape, rows, drawn, view, kit, length),
    );
    return region;
  }

  function drawRows(shape, rows, drawn, view, kit, length) {
    const score = ({ score: value }) => kit.scaled(value);
    const start = shape.x.domain[0];
    return plotted(labelSentence(rows, view, kit), {
      ...shape,
      x: { ...shape.x, axis: null },
      height: rows.length * ROW + 8,
      marginTop: 4,
      marginBottom: 4,
      y: { domain: [rows.length - 0.5, -0.5], axis: null },
      // The axis stands above, where it stays in sight.
      marks: [
        Plot.gridX({ ticks: shape.x.ticks, stroke: "var(--mc-muted)", strokeOpacity: 0.22 }),
        Plot.ruleY(drawn, {
          y: "at",
          x1: start,
          x2: score,
          stroke: "var(--mc-muted)",
          strokeOpacity: 0.5,
        }),
        Plot.text(rows, {
          x: start,
          y: "at",
          text: ({ name }) => shortened(name, length),
          textAnchor: "end",
          dx: -8,
          fill: "var(--mc-ink)",
          className: "mc-names",
        }),
        Plot.text(rows, {
          frameAnchor: "right",
          y: "at",
          text: ({ n }) => `n ${n ?? "–"}`,
          textAnchor: "end",
          dx: shape.marginRight - 6,
          fill: "var(--mc-muted)",
        }),
        Plot.text(
          rows.filter((each) => !known(each.score)),
          {
            x: start,
            y: "at",
            text: ({ n, score: value }) => missing(n, value), textAnchor: "start",
            dx: 4,
            fill: "var(--mc-muted)",
            fontStyle: "italic",
            className: "mc-missing",
          },
        ),
        Plot.dot(drawn, {
          x: score,
          y: "at",
          r: 4.5,
          fill: "var(--mc-accent)",
          className: "mc-dots",
        }),
        tip(drawn, {
          x: score,
          y: "at",
          title: (each) => `${isolated(each.name)}\n${kit.shown(each.score)}, n ${each.n}`,
        }),
      ],
    });
  }

  Object.assign(MarbleCharts, { labelScores });
})();
