// The filters of the table and what they mean for a row.

function filterOf(state) {
  const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
  const same = (name, value) => !state[name] || state[name] === value;
  return (row) =>
    (row.main || state.metrics === "all")
    && same("task", row.task)
    && same("protocol", row.protocol)
    && same("licence", row.licence)
    && same("source", row.source)
    && (!state.conforming || row.conforms === true)
    && words.every((word) => haystack(row).includes(word));
}

function haystack(row) {
  row.haystack ??= [row.encoder, row.revision, row.task, row.metric, row.protocol, row.licence,
    row.deviations, row.reference].join("\n").toLowerCase();
  return row.haystack;
}

function filterForm(index, state, changed) {
  const form = byId("filters");
  for (const name of ["task", "protocol", "licence"]) {
    const values = new Set(index.rows.map((row) => row[name]).filter(Boolean));
    options(form.elements[name], [...values].sort(COLLATOR.compare).map((each) => [each, each]));
  }
  let waiting = null;
  form.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(() => {
      take();
      changed();
    }, 100); // while somebody types
  });
  form.addEventListener("reset", () => {
    setTimeout(() => { // the browser empties the fields after this event
      take();
      Object.assign(state, { sort: "", direction: "" });
      changed();
    });
  });
  form.addEventListener("submit", (event) => event.preventDefault());

  function take() {
    for (const field of form.elements) {
      if (field.name) {
        state[field.name] = field.type === "checkbox" ? (field.checked ? "yes" : "") : field.value;
      }
    }
  }

  // On a phone the filters would fill the screen: there they open on demand.
  const box = byId("filter-box");
  box.open = matchMedia("(min-width: 40rem)").matches;
  box.hidden = false;
  return function show() {
    for (const field of form.elements) {
      if (field.type === "checkbox") {
        field.checked = state[field.name] === "yes";
      } else if (field.name) {
        field.value = state[field.name];
        if (field.value !== state[field.name]) { // no such choice on this page
          field.value = "";
        }
      }
    }
    take();
    if (!Object.hasOwn(SORTS, state.sort) || !["ascending", "descending"].includes(state.direction)) {
      Object.assign(state, { sort: "", direction: "" });
    }
  };
}
