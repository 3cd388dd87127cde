// The table of scores: which rows, in which order, and how many of them are drawn.

const SLICE = 200; // rows drawn at once; thousands would take seconds to lay out
const SORTS = {
  encoder: (row) => row.encoder.toLowerCase(),
  revision: (row) => row.revision,
  task: (row) => row.task.toLowerCase(),
  metric: (row) => row.metric,
  value: (row) => row.value,
  n: (row) => row.n,
  layer: (row) => row.layer,
  protocol: (row) => row.protocol,
  licence: (row) => row.licence.toLowerCase(),
  source: (row) => row.source,
  reference: (row) => row.reference,
};
const COLLATOR = new Intl.Collator("en", { numeric: true });

function scoreTable(index, state, changed) {
  const table = byId("scores").querySelector("table");
  const body = table.tBodies[0];
  const more = byId("more");
  let rows = [];

  for (const head of table.tHead.querySelectorAll("th[data-sort]")) {
    const button = element("button", { type: "button" }, head.textContent);
    button.addEventListener("click", () => {
      Object.assign(state, nextSort(state, head.dataset.sort));
      changed();
    });
    head.replaceChildren(button);
  }
  more.addEventListener("click", () => {
    const first = body.rows.length;
    drawSlice();
    body.rows[first].querySelector("a")?.focus();
    tell();
  });

  function drawSlice() {
    const drawn = body.rows.length;
    body.append(...rows.slice(drawn, drawn + SLICE).map(tableRow));
    const left = rows.length - body.rows.length;
    more.hidden = left === 0;
    more.textContent = `Show ${Math.min(left, SLICE)} more of ${left.toLocaleString("en")}`;
  }

  function tell() {
    const shown = body.rows.length;
    const some = shown < rows.length ? `${shown.toLocaleString("en")} of ` : "";
    const order = state.sort ? ` Sorted by ${label(state.sort)}, ${state.direction}.` : "";
    byId("status").textContent = rows.length === 0
      ? "No row passes the filters."
      : `Showing ${some}${counted(rows.length, "row")}.${order}`;
  }

  function label(sort) {
    return table.tHead.querySelector(`th[data-sort="${sort}"]`).textContent.toLowerCase();
  }

  return function draw() {
    rows = sorted(index.rows.filter(filterOf(state)), state);
    for (const head of table.tHead.querySelectorAll("th[data-sort]")) {
      const direction = head.dataset.sort === state.sort ? state.direction : "none";
      head.setAttribute("aria-sort", direction);
    }
    body.replaceChildren();
    drawSlice();
    tell();
    byId("scores").scrollTop = 0;
  };
}

// Scores begin with the highest, words with the first; a third press gives the first order.
function nextSort(state, sort) {
  const first = ["value", "n"].includes(sort) ? "descending" : "ascending";
  if (state.sort !== sort) {
    return { sort, direction: first };
  }
  if (state.direction === first) {
    return { sort, direction: first === "ascending" ? "descending" : "ascending" };
  }
  return { sort: "", direction: "" };
}

function sorted(rows, { sort, direction }) {
  if (!sort) {
    return rows;
  }
  const sign = direction === "descending" ? -1 : 1;
  const empty = (value) => value === null || value === "";
  return rows
    .map((row) => [row, SORTS[sort](row)])
    .sort(([, one], [, other]) => {
      if (empty(one) || empty(other)) {
        return Number(empty(one)) - Number(empty(other)); // what has no value comes last
      }
      return sign * (typeof one === "number" ? one - other : COLLATOR.compare(one, other));
    })
    .map(([row]) => row);
}
