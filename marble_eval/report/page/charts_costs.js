// What a score costs: a point a result, named where there is room.
(() => {
  "use strict";
  const {
    known, scoresOf, padded, isolated, shortened, textWidth, counted, figure, sentence, plotted,
    tip, NO_VALUE, MARGIN, LOOKS, looks, keyOf, dots, whiskers, scoreAxis, costAxis,
    scoreDomain, short, leftOut,
  } = MarbleCharts.parts;
  const LOG_SPAN = 20;

  function costScore(el, { points, xName, xUnit, metric, unit }) {
    const scores = scoresOf(metric, unit);
    const all = (points ?? []).map((each) => ({
      ...each,
      name: String(each.name),
      group: String(each.group ?? ""),
    }));
    const axis = `${xName ?? "cost"}${xUnit ? ` (${xUnit})` : ""}`;
    const table = {
      caption: `${scores.name} and ${axis}.`,
      heads: ["Encoder", "Task", axis, "Score", "Low", "High"],
      rows: all.map(({ name, task, x, value, low, high }) => [
        name,
        task ?? "–",
        known(x) ? x.toLocaleString("en", { maximumSignificantDigits: 4 }) : NO_VALUE,
        ...[value, low, high].map(scores.shown),
      ]),
    };
    const drawn = all.filter(({ x, value }) => known(x) && known(value));
    if (drawn.length === 0) {
      sentence(el, `No result has both a score and ${xName ?? "a cost"}.`, table);
      return;
    }
    const groups = [...new Set(drawn.map(({ group }) => group))];
    const look = looks(groups.length < drawn.length ? groups : [""]); // a group each is no grouping
    figure(el, {
      draw: (width) => drawCosts(width, drawn, scores, look, axis),
      key: keyOf(look),
      caption:
        `Score on test against ${axis}${isLog(drawn) ? ", on a logarithmic scale" : ""}, with intervals. `
        + `Names that would cover others are in the table alone.${leftOut(all.length - drawn.length)}`,
      table,
    });
  }

  function isLog(drawn) {
    const [low, high] = d3.extent(drawn, ({ x }) => x);
    return low > 0 && high / low > LOG_SPAN;
  }

  function costDomain(drawn) {
    if (isLog(drawn)) {
      return padded(
        drawn.map(({ x }) => Math.log10(x)),
        0.05,
      ).map((each) => 10 ** each);
    }
    const [low, high] = d3.extent(drawn, ({ x }) => x);
    return low < high
      ? padded([low, high])
      : [low - (Math.abs(low) * 0.5 || 1), low + (Math.abs(low) * 0.5 || 1)];
  }

  function drawCosts(width, drawn, scores, look, axis) {
    const best = d3.greatest(drawn, ({ value }) => value);
    const least = d3.least(drawn, ({ x }) => x);
    const y = ({ value }) => scores.scaled(value);
    const groupOf = ({ group }) => (look.size > 1 ? group : "");
    const even = new Map([["", LOOKS[0]], ...look]);
    const svg = plotted(
      `${scores.name} against ${axis}, ${counted(drawn.length, "point")}: best ${scores.shown(best.value)} `
        + `(${isolated(best.name)}, ${short(best.x)}); the cheapest is ${isolated(least.name)} with ${scores.shown(least.value)} at ${short(least.x)}.`,
      {
        width,
        height: width < 480 ? 300 : 400,
        ...MARGIN,
        x: { type: isLog(drawn) ? "log" : "linear", domain: costDomain(drawn) },
        y: { domain: scoreDomain(drawn, scores) },
        marks: [
          ...scoreAxis(scores),
          ...costAxis(axis, Math.max(2, Math.floor(width / 130)), short),
          ...d3
            .groups(drawn, groupOf)
            .map(([group, own]) => whiskers(own, scores, "x", even.get(group).color)),
          ...dots(drawn, even, groupOf, { x: "x", y }),
          tip(drawn, {
            x: "x",
            y,
            title: (each) =>
              `${isolated(each.name)}\n${scores.shown(each.value)}${scores.interval(each)}\n${axis} ${short(each.x)}`,
          }),
        ],
      },
    );
    nameWhereFree(svg, drawn, y, width);
    return svg;
  }

  // The better a point, the sooner it is named; a name stands only where it covers nothing.
  function nameWhereFree(svg, drawn, y, width) {
    const [across, up] = [svg.scale("x"), svg.scale("y")];
    const taken = drawn.flatMap((each) => {
      const x = across.apply(each.x);
      const [high, low] = [each.high ?? each.value, each.low ?? each.value].map((value) =>
        up.apply(y({ value })),
      );
      return [boxAt(x - 5, up.apply(y(each)) - 5, 10, 10), boxAt(x - 1, high, 2, low - high)];
    });
    const names = d3
      .select(svg)
      .append("g")
      .attr("class", "mc-names")
      .attr("fill", "var(--mc-ink)")
      .attr("text-anchor", "start");
    for (const each of d3.sort(drawn, ({ value }) => -value)) {
      const text = shortened(each.name, 26);
      const [x, top, long] = [across.apply(each.x), up.apply(y(each)), textWidth(text) + 2];
      const free = [
        [x + 9, top - 7],
        [x - 9 - long, top - 7],
        [x + 5, top - 20],
        [x + 5, top + 6],
        [x - 5 - long, top - 20],
        [x - 5 - long, top + 6],
      ]
        .map(([left, above]) => boxAt(left, above, long, 14))
        .find(
          (box) =>
            box.left > MARGIN.marginLeft
            && box.right < width - 2
            && box.top > MARGIN.marginTop - 14
            && !taken.some((other) => meets(box, other)),
        );
      if (free) {
        taken.push(free);
        names
          .append("text")
          .attr("x", free.left + 1)
          .attr("y", free.top + 11)
          .text(text);
      }
    }
  }

  function boxAt(left, top, wide, high) {
    return { left, top, right: left + wide, bottom: top + high };
  }

  function meets(one, other) {
    return (
      one.left < other.right
      && other.left < one.right
      && one.top < other.bottom
      && other.top < one.bottom
    );
  }

  Object.assign(MarbleCharts, { costScore });
})();
