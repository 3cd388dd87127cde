// The scores of one result as a table, and what a reader must know about them.

function caveats(result, detail) {
  const { protocol, encoder, remarks } = result;
  const warned = protocol.deviations.map((each) => ["deviates", each]);
  if (detail.missingCount > 0) {
    warned.push(["missing", missingWords(detail)]);
  }
  if (encoder.overlap) {
    warned.push(["may have seen this data", encoder.overlap]);
  }
  if (encoder.remote_code) {
    warned.push(["remote code", encoder.remote_code]);
  }
  const lines = [
    ...warned.map(([kind, text]) => [tag(kind, "warn"), text]),
    ...remarks.map((text) => [tag("note", "plain"), text]),
  ];
  if (warned.length === 0) {
    lines.unshift([tag("complete", "plain"),
      `Follows ${protocol.name}; all ${counted(detail.expected, "test track")} were scored.`]);
  }
  return element("ul", { class: "caveats" }, ...lines.map(([mark, text]) =>
    element("li", null, mark, " ", named(text))));
}

function missingWords({ missing, missingCount, expected, scored }) {
  const names = missing.map(([id, reason]) => `${id} (${reason})`).join(", ");
  const rest = missingCount - missing.length;
  return `${counted(scored, "test track")} scored of ${expected.toLocaleString("en")}; not `
    + `${names}${rest > 0 ? ` and ${rest.toLocaleString("en")} more` : ""}.`;
}

function scoreFacts(result, detail) {
  const heads = ["Metric", "Score", "Interval", "n", "Seeds", "Spread", "Ceiling", "Reported"];
  return element("div", { class: "region", tabindex: "0", role: "region", "aria-label": "Scores" },
    element("table", { class: "scores small" },
      element("caption", null, `${intervalNote(result)} The spread is the standard deviation over `
        + "the seeds; the ceiling is what the references score at the features' frame rate."),
      element("thead", null, element("tr", null, ...heads.map((head, i) =>
        element("th", { scope: "col", class: i > 0 && i < 7 ? "num" : null }, head)))),
      element("tbody", null, ...result.rows.map((row, i) => scoreLine(row, detail.scores[i])))));
}

function intervalNote(result) {
  const levels = [...new Set(result.metrics.map(([, , level]) => level))];
  return `Intervals are ${levels.map((each) => `${plainNumber(100 * each)} %`).join(" or ")} bootstrap `
    + "intervals over the test tracks.";
}

function scoreLine(row, { seeds, spread, ceiling }) {
  const inUnit = (value) => scoreText(row.unit === "percent" ? 100 * value : value, row.unit);
  const cells = [
    scoreText(row.value, row.unit),
    shownInterval(row),
    row.n.toLocaleString("en"),
    seeds.map(inUnit).join(", "),
    scoreText(row.unit === "percent" ? 100 * spread : spread, row.unit, 2),
    ceiling === null ? NONE : inUnit(ceiling),
  ];
  return element("tr", null,
    element("th", { scope: "row" }, shownMetric(row), row.higher ? null : " (lower is better)"),
    ...cells.map((text) => element("td", { class: "num" }, text)),
    element("td", null, ...reportedWords(row)));
}

function reportedWords(row) {
  if (row.reported.length === 0) {
    return [NONE];
  }
  const words = row.reported.map((each) => `${scoreText(each.value, each.unit)} (${each.source})`);
  return [words.join("; "), ...reproducedTag(row)];
}
