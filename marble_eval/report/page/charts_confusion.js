// What was taken for what. The names stay in sight while a large table is scrolled; cells of
// one shade are one path, so that 128 classes are drawn as quickly as ten.
(() => {
  "use strict";
  const { make, known, isolated, shortened, textWidth, counted, shadeKey, shade, inkOn, figure, sentence,
  } = MarbleCharts.parts;
  const COUNTED_CLASSES = 24; // up to here a count stands in each cell
  const WHOLE = 560; // px: a side of a table that is in sight as a whole
  const SMALLEST = 14; // px: what a name of 11 px needs
  const SHADES = 25;
  const NAMED = 5;

  function confusion(el, { labels, table }) {
    const names = (labels ?? []).map(String);
    const rows = names.map((_, row) => names.map((__, column) => table?.[row]?.[column]));
    const unknown = names.some((_, row) => names.some((__, column) => !known(table?.[row]?.[column])));
    if (unknown) {
      sentence(el, "The confusion table lacks counts, so nothing is drawn.");
      return;
    }
    const totals = rows.map((row) => d3.sum(row));
    const numbers = {
      caption: "Counts: a row is a reference, a column an estimate.",
      heads: ["Reference", ...names, "All"],
      rows: rows.map((row, i) => [names[i], ...row, totals[i]]),
    };
    if (d3.sum(totals) === 0) {
      sentence(
        el,
        names.length === 0 ? "There are no classes to compare." : "No item was counted.",
        numbers,
      );
      return;
    }
    const most = mistaken(names, rows, totals);
    figure(el, {
      draw: (width) =>
        drawTable(width, names, rows, totals, confusionSentence(names, rows, totals, most)),
      shades: shadeKey("0 %", "100 % of the row"),
      caption: captionOf(names, totals, most),
      table: numbers,
    });
  }

  function mistaken(names, rows, totals) {
    const cells = rows.flatMap((row, i) => row.map((count, j) => ({ i, j, count })));
    return d3
      .sort(
        cells.filter(({ i, j, count }) => i !== j && count > 0),
        (one, other) =>
          other.count - one.count || other.count / totals[other.i] - one.count / totals[one.i],
      )
      .slice(0, NAMED)
      .map(
        ({ i, j, count }) =>
          `${isolated(names[i])} as ${isolated(names[j])} (${count} of ${totals[i]})`,
      );
  }

  function captionOf(names, totals, most) {
    const none = totals.filter((total) => total === 0).length;
    return (
      "Rows are references, columns estimates; the shade is the share of the row. "
      + (most.length > 0 ? `Most often mistaken: ${most.join(", ")}.` : "Nothing was mistaken.")
      + (none > 0
        ? ` ${counted(none, "class")}`.replace("classs", "classes") + " had no item."
        : "")
    );
  }

  function confusionSentence(names, rows, totals, most) {
    const right = d3.sum(rows, (row, i) => row[i]);
    const all = d3.sum(totals);
    return (
      `Confusion of ${counted(names.length, "class").replace("classs", "classes")}: ${right} of ${all} on the diagonal `
      + `(${((100 * right) / all).toFixed(1)} %).${most.length > 0 ? ` Most often mistaken: ${most[0]}.` : ""}`
    );
  }

  function drawTable(width, names, rows, totals, label) {
    const length = width < 480 ? 12 : 20;
    const shown = cutNames(names, length);
    const margin = Math.ceil(d3.max(shown, (name) => textWidth(name, 11.5))) + 12;
    const digits = textWidth(String(d3.max(rows.flat())), 11.5) + 6;
    const least = names.length <= COUNTED_CLASSES ? Math.max(SMALLEST + 4, digits) : SMALLEST;
    const cell = Math.max(
      least,
      Math.min(44, WHOLE / names.length, (width - margin - 18) / names.length),
    );
    const grid = make("div", {
      class: "mc-scroll",
      tabindex: "0",
      role: "group",
      "aria-label": "Confusion, scrolls",
    });
    grid.style.cssText = `display:grid;grid-template-columns:${margin + 18}px auto;justify-content:start;max-width:max-content`;
    const corner = stuck(make("div"), "left:0;top:0;z-index:2;");
    grid.append(
      corner,
      stuck(columnNames(shown, cell, margin), "top:0;z-index:1;"),
      stuck(rowNames(shown, cell, margin), "left:0;z-index:1;"),
      cellsOf(names, rows, totals, cell, label),
    );
    return grid;
  }

  // Names that are alike at the start are cut in the middle, where that tells them apart.
  function cutNames(names, length) {
    const [ends, middles] = [shortened, cutInside].map((cut) => names.map((name) => cut(name, length)));
    return new Set(middles).size > new Set(ends).size ? middles : ends;
  }

  function cutInside(name, length) {
    const signs = Array.from(shortened(name, Infinity));
    const half = Math.floor((length - 1) / 2);
    return signs.length > length ? `${signs.slice(0, length - 1 - half).join("")}…${signs.slice(-half).join("")}` : signs.join("");
  }

  function stuck(node, where) {
    const holder = make("div", null, node);
    holder.style.cssText = `position:sticky;background:var(--mc-surface);${where}`;
    return holder;
  }

  function canvas(width, height) {
    return d3
      .create("svg")
      .attr("class", "mc-svg")
      .attr("width", width)
      .attr("height", height)
      .attr("viewBox", `0 0 ${width} ${height}`)
      .attr("font-size", 11.5)
      .attr("fill", "var(--mc-ink)");
  }

  function columnNames(shown, cell, margin) {
    const svg = canvas(cell * shown.length, margin + 18).attr("aria-hidden", "true");
    svg
      .append("text")
      .attr("x", 2)
      .attr("y", 12)
      .attr("fill", "var(--mc-muted)")
      .text("estimate →");
    svg
      .append("g")
      .selectAll("text")
      .data(shown)
      .join("text")
      .attr("transform", (_, i) => `translate(${(i + 0.5) * cell + 4},${margin + 12}) rotate(-90)`)
      .text((name) => name);
    return svg.node();
  }

  function rowNames(shown, cell, margin) {
    const svg = canvas(margin + 18, cell * shown.length).attr("aria-hidden", "true");
    svg
      .append("text")
      .attr("transform", "translate(12,2) rotate(-90)")
      .attr("text-anchor", "end")
      .attr("fill", "var(--mc-muted)")
      .text(shown.length * cell > 90 ? "← reference" : "");
    svg
      .append("g")
      .attr("text-anchor", "end")
      .selectAll("text")
      .data(shown)
      .join("text")
      .attr("x", margin + 12)
      .attr("y", (_, i) => (i + 0.5) * cell)
      .attr("dy", "0.35em")
      .text((name) => name);
    return svg.node();
  }

  function cellsOf(names, rows, totals, cell, label) {
    const side = cell * names.length;
    const svg = canvas(side, side).attr("role", "img").attr("aria-label", label);
    const filled = rows
      .flatMap((row, i) => row.map((count, j) => ({ i, j, count, share: count / totals[i] })))
      .filter(({ count }) => count > 0);
    frame(svg, side, cell, names.length);
    svg
      .append("g")
      .attr("class", "mc-cells")
      .selectAll("path")
      .data(d3.groups(filled, binOf))
      .join("path")
      .attr("fill", ([bin]) => shade(percentOf(bin)))
      .attr("d", ([, cells]) => cells.map(({ i, j }) => square(j * cell, i * cell, cell)).join(""));
    if (names.length <= COUNTED_CLASSES) {
      svg
        .append("g")
        .attr("class", "mc-counts")
        .attr("text-anchor", "middle")
        .selectAll("text")
        .data(filled)
        .join("text")
        .attr("x", ({ j }) => (j + 0.5) * cell)
        .attr("y", ({ i }) => (i + 0.5) * cell)
        .attr("dy", "0.35em")
        .attr("fill", (each) => inkOn(percentOf(binOf(each))))
        .text(({ count }) => count);
    }
    pointed(svg, names, rows, totals, cell);
    return svg.node();
  }

  function binOf({ share }) {
    return Math.ceil(share * SHADES);
  }

  // Even one item of thousands is to be seen beside an empty cell.
  function percentOf(bin) {
    return 14 + (86 * bin) / SHADES;
  }

  function square(x, y, cell) {
    const side = cell - 1;
    return `M${x + 0.5},${y + 0.5}h${side}v${side}h${-side}z`;
  }

  function frame(svg, side, cell, classes) {
    const lines = d3
      .range(classes + 1)
      .map((i) => `M${i * cell},0V${side}M0,${i * cell}H${side}`)
      .join("");
    svg
      .append("path")
      .attr("d", lines)
      .attr("stroke", "var(--mc-line)")
      .attr("stroke-width", 0.75)
      .attr("fill", "none");
    svg
      .append("path")
      .attr(
        "d",
        d3
          .range(classes)
          .map((i) => square(i * cell, i * cell, cell))
          .join(""),
      )
      .attr("stroke", "var(--mc-muted)")
      .attr("fill", "none");
  }

  // The browser's own hint names the cell below the pointer.
  function pointed(svg, names, rows, totals, cell) {
    const title = svg.append("title");
    let last = "";
    svg.on("pointermove", (event) => {
      const [x, y] = d3.pointer(event, svg.node());
      const [i, j] = [Math.floor(y / cell), Math.floor(x / cell)];
      const text =
        rows[i]?.[j] === undefined
          ? ""
          : `${isolated(names[i])} taken for ${isolated(names[j])}: ${rows[i][j]} of ${totals[i]}`;
      if (text !== last) {
        last = text;
        title.text(text);
      }
    });
  }

  Object.assign(MarbleCharts, { confusion });
})();
