// The validation score of every layer and setting: the whole of what the choice saw.
(() => {
  "use strict";
  const {
    known, scoresOf, isolated, shortened, textWidth, counted, shadeKey, shade, inkOn, figure,
    sentence, plotted, tip,
  } = MarbleCharts.parts;
  const WIDE_CELL = 38; // px: below it the layers become rows, where there is room for numbers
  const COLLATOR = new Intl.Collator("en", { numeric: true });

  function gridMap(el, { points, layers, chosen, metric, unit, settingName }) {
    const scores = scoresOf(metric, unit);
    const seeds = [...new Set((points ?? []).map(({ seed }) => seed))];
    const cells = cellsOf(points ?? [], (layers ?? []).map(String), chosen);
    const name = settingName || "setting";
    const table = gridTable(cells, seeds, scores, name);
    const drawn = cells.filter(({ mean }) => known(mean));
    if (drawn.length === 0) {
      sentence(
        el,
        cells.length === 0
          ? "No grid was searched."
          : "No point of the grid has a validation score.",
        table,
      );
      return;
    }
    const [low, high] = d3.extent(drawn, ({ mean }) => mean);
    figure(el, {
      draw: (width) => drawGrid(width, cells, scores, name),
      key: [
        {
          shape: "Square",
          hollow: true,
          color: "var(--mc-accent-2)",
          text: "chosen (the outlined cell)",
        },
      ],
      shades: low < high ? shadeKey(scores.shown(low), scores.shown(high)) : null,
      caption:
        `Validation ${scores.name} of every layer and ${name}${seedsSaid(cells)}. `
        + `The choice was made on these${cells.length > drawn.length ? "; a dashed cell has no value" : ""}.`,
      table,
    });
  }

  // Further seeds are run only where they bear on the choice, so cells may differ in how many.
  function seedsSaid(cells) {
    const [least, most] = d3.extent(cells.filter(({ mean }) => known(mean)), ({ here }) => valid(here).length);
    return most === 1 ? "" : `, mean over the ${least === most ? most : `${least} to ${most}`} seeds of a cell`;
  }

  function valid(here) {
    return here.filter((each) => known(each.valid));
  }

  // One cell a layer and setting, in the given order of layers and the settings' own.
  function cellsOf(points, layers, chosen) {
    const order = layers.concat(
      [...new Set(points.map(({ layer }) => String(layer)))].filter(
        (each) => !layers.includes(each),
      ),
    );
    const groups = d3.group(
      points,
      ({ layer }) => String(layer),
      ({ setting }) => String(setting),
    );
    const settings = [...new Set(points.map(({ setting }) => String(setting)))].sort(bySetting);
    return order.flatMap((layer) =>
      settings.map((setting) => {
        const here = groups.get(layer)?.get(setting) ?? [];
        return {
          layer,
          setting,
          here,
          mean:
            d3.mean(
              valid(here),
              (each) => each.valid,
            ) ?? null,
          chosen:
            Boolean(chosen) && String(chosen.layer) === layer && String(chosen.setting) === setting,
        };
      }),
    );
  }

  // Numbers by size, before words.
  function bySetting(one, other) {
    const [a, b] = [Number(one), Number(other)];
    if (Number.isNaN(a) || Number.isNaN(b)) {
      return Number(Number.isNaN(a)) - Number(Number.isNaN(b)) || COLLATOR.compare(one, other);
    }
    return a - b;
  }

  function shownSetting(setting) {
    const number = Number(setting);
    if (setting.trim() === "" || Number.isNaN(number)) {
      return setting;
    }
    return number !== 0 && Math.abs(number) < 0.001
      ? number.toExponential().replace("e-", "e−").replace("e+", "e")
      : String(number);
  }

  function gridTable(cells, seeds, scores, name) {
    const several = seeds.length > 1;
    const seedCell = (here, seed) => {
      const found = here.find((each) => each.seed === seed);
      return found ? scores.shown(found.valid) : "not run";
    };
    const epochs = (here) => here.map((each) => each.epochs ?? "–").join(", ") || "–";
    return {
      caption: `Validation ${scores.name} by layer and ${name}.`,
      heads: [
        "Layer",
        name,
        several ? "Mean" : "Validation",
        ...(several ? seeds.map((each) => `Seed ${each}`) : []),
        "Epochs",
        "Chosen",
      ],
      rows: cells.map(({ layer, setting, here, mean, chosen }) => [
        layer,
        shownSetting(setting),
        scores.shown(mean),
        ...(several ? seeds.map((each) => seedCell(here, each)) : []),
        epochs(here),
        chosen ? "chosen" : "–",
      ]),
    };
  }

  function calledCell({ layer, setting }, name) {
    return `${/^\d+$/.test(layer) ? `layer ${layer}` : isolated(layer)}, ${name} ${isolated(shownSetting(setting))}`;
  }

  function gridSentence(cells, drawn, scores, name) {
    const called = (each) => `${scores.shown(each.mean)} (${calledCell(each, name)})`;
    const chosen = cells.find((each) => each.chosen);
    return (
      `Validation ${scores.name} by layer and ${name}, ${counted(cells.length, "cell")}: from `
      + `${called(d3.least(drawn, ({ mean }) => mean))} to ${called(d3.greatest(drawn, ({ mean }) => mean))}.`
      + (chosen ? ` Chosen: ${calledCell(chosen, name)}, ${scores.shown(chosen.mean)}.` : "")
    );
  }

  // Layers run along x as in the curve above it where the cells are wide enough for that.
  function gridShape(width, layers, settings) {
    const widest = (names) => d3.max(names, (name) => textWidth(shortened(name, 14)));
    const shownSettings = settings.map(shownSetting);
    const leftAcross = widest(shownSettings) + 26;
    const across = (width - leftAcross - 8) / layers.length >= WIDE_CELL;
    const left = across ? leftAcross : widest(layers) + 26;
    const [columns, rows] = across ? [layers, settings] : [settings, layers];
    const cell = Math.min((width - left - 8) / columns.length, 84);
    const turned = (across ? widest(layers) : widest(shownSettings)) + 4 > cell;
    return {
      across,
      left,
      columns,
      rows,
      cell,
      turned,
      high: across ? 30 : 24,
      right: width - left - cell * columns.length,
    };
  }

  function drawGrid(width, cells, scores, name) {
    const drawn = cells.filter(({ mean }) => known(mean));
    const layers = [...new Set(cells.map(({ layer }) => layer))];
    const settings = [...new Set(cells.map(({ setting }) => setting))];
    const shape = gridShape(width, layers, settings);
    const [low, high] = d3.extent(drawn, ({ mean }) => mean);
    const percent = ({ mean }) => (high > low ? 8 + (92 * (mean - low)) / (high - low) : 40);
    const at = shape.across ? { x: "layer", y: "setting" } : { x: "setting", y: "layer" };
    const text = (names) => (each) =>
      shortened(names === "setting" ? shownSetting(each) : each, 14);
    const fits = d3.max(drawn, ({ mean }) => textWidth(scores.shown(mean), 11.5)) + 6 <= shape.cell;
    const [top, bottom] = [44, shape.turned ? 70 : 8];
    return plotted(gridSentence(cells, drawn, scores, name), {
      width,
      height: shape.rows.length * shape.high + top + bottom,
      marginLeft: shape.left,
      marginRight: shape.right,
      marginTop: shape.turned ? 22 : top,
      marginBottom: shape.turned ? bottom + 22 : bottom,
      x: { type: "band", domain: shape.columns, padding: 0, round: false },
      y: { type: "band", domain: shape.rows, padding: 0, round: false },
      marks: [
        Plot.axisX({
          anchor: shape.turned ? "bottom" : "top",
          tickSize: 0,
          label: null,
          tickFormat: text(at.x),
          tickRotate: shape.turned ? -45 : 0,
        }),
        Plot.axisY({ tickSize: 0, label: null, tickFormat: text(at.y) }),
        Plot.text(
          [`${at.y === "layer" ? "layer" : name} ↓   ${at.x === "layer" ? "layer" : name} →`],
          {
            frameAnchor: "top-left",
            dx: -shape.left,
            dy: shape.turned ? -20 : -42,
            lineAnchor: "top",
            fill: "var(--mc-muted)",
          },
        ),
        Plot.cell(
          cells.filter(({ mean }) => !known(mean)),
          {
            ...at,
            inset: 2,
            fill: "none",
            stroke: "var(--mc-muted)",
            strokeDasharray: "3 3",
            className: "mc-missing",
          },
        ),
        Plot.cell(drawn, {
          ...at,
          inset: 0.75,
          fill: { value: (each) => shade(percent(each)), scale: null },
          className: "mc-cells",
        }),
        fits
          ? Plot.text(drawn, {
              ...at,
              text: ({ mean }) => scores.shown(mean),
              fontSize: 11.5,
              fill: { value: (each) => inkOn(percent(each)), scale: null },
              className: "mc-cell-text",
            })
          : null,
        ...outline(
          cells.filter((each) => each.chosen),
          at,
        ),
        tip(drawn, { ...at, title: (each) => tipText(each, scores, name) }),
      ],
    });
  }

  // Two lines, light within dark, so that the outline shows on every shade.
  function outline(chosen, at) {
    return [
      Plot.cell(chosen, {
        ...at,
        inset: 0,
        fill: "none",
        stroke: "var(--mc-accent-2)",
        strokeWidth: 3,
        className: "mc-chosen",
      }),
      Plot.cell(chosen, {
        ...at,
        inset: 2,
        fill: "none",
        stroke: "var(--mc-surface)",
        strokeWidth: 1.5,
      }),
    ];
  }

  function tipText({ mean, here, chosen, ...cell }, scores, name) {
    const seeds =
      here.length > 1 ? `\nseeds ${here.map(({ valid }) => scores.shown(valid)).join(", ")}` : "";
    return `${calledCell(cell, name)}${chosen ? ", chosen" : ""}\nvalidation ${scores.shown(mean)}${seeds}`;
  }

  Object.assign(MarbleCharts, { gridMap });
})();
