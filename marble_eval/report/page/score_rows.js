// Rows of the table: their order, their words, their cells. Numbers and order are those
// of listing.py, which wrote the rows that stand in the file.

const NONE = "–";

function inOrder(rows) {
  return rows
    .map((row) => [row, [row.task.toLowerCase(), row.task, row.metric, row.source === "run" ? 0 : 1,
      row.higher ? -row.value : row.value, row.encoder.toLowerCase()]])
    .sort(([, one], [, other]) => {
      const first = one.findIndex((each, i) => each !== other[i]);
      return first < 0 ? 0 : one[first] < other[first] ? -1 : 1;
    })
    .map(([row]) => row);
}

function shownInterval(row) {
  if (row.low === null) {
    return NONE;
  }
  return `[${scoreText(row.low, row.unit)}, ${scoreText(row.high, row.unit)}]`;
}

function shownMetric(row) {
  return row.metric + unitSuffix(row.unit);
}

function versioned(name, version) {
  return version === null || version === 1 ? name : `${name}@${version}`;
}

function counted(number, noun) {
  return `${number.toLocaleString("en")} ${noun}${number === 1 ? "" : "s"}`;
}

function tag(text, kind) {
  return element("span", { class: `tag ${kind}` }, text);
}

function tableRow(row) {
  const cell = (kind, ...content) => element("td", kind ? { class: kind } : null, ...content);
  const protocol = [versioned(row.protocol, row.protocolVersion) || NONE];
  if (row.conforms === false) {
    protocol.push(" ", tag("deviates", "warn"));
  }
  return element("tr", null,
    element("th", { scope: "row" }, row.result ? detailLink(row) : named(row.encoder)),
    cell("", named(versioned(row.task, row.taskVersion))),
    cell("", shownMetric(row)),
    cell("num", scoreText(row.value, row.unit)),
    cell("num low", shownInterval(row)),
    cell("", row.source, ...reproducedTag(row)),
    cell("num", row.n === null ? NONE : row.n.toLocaleString("en")),
    cell("num", row.layer || NONE),
    cell("", ...protocol),
    cell("", named(row.revision || NONE)),
    cell("", named(row.licence || NONE)),
    cell("", row.reference));
}

function reproducedTag({ reproduced }) {
  return reproduced === null ? [] : [" ", tag(reproduced ? "reproduced" : "not reproduced", "plain")];
}

function detailLink(row) {
  const link = element("a", { href: `#r=${row.result.id}`, "data-r": row.result.place },
    named(row.encoder));
  link.setAttribute("aria-label", `${row.encoder} on ${row.task}: details`);
  return link;
}
