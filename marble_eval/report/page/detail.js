// The view of one result: a dialog that is filled when it opens.

function detailView(index, state) {
  const dialog = byId("detail");
  const byName = new Map(index.results.map((each) => [each.id, each]));

  dialog.addEventListener("close", () => {
    dialog.replaceChildren();
    state.r = "";
    keepState(state);
  });
  dialog.addEventListener("click", (event) => {
    if (event.target === dialog) { // the backdrop
      dialog.close();
    }
  });
  document.addEventListener("click", (event) => {
    const link = event.target.closest("a[data-r]");
    if (link && !event.ctrlKey && !event.metaKey && !event.shiftKey) {
      event.preventDefault();
      state.r = index.results[Number(link.dataset.r)].id;
      keepState(state, { step: true });
      show();
    }
  });

  async function show() {
    const result = byName.get(state.r);
    if (!result) {
      state.r = "";
      dialog.close();
      return;
    }
    const detail = await openDetail(index, result);
    if (state.r !== result.id) { // closed, or another was asked for, while it was unpacked
      return;
    }
    dialog.replaceChildren(detailHead(dialog, result), detailBody(index, result, detail));
    if (!dialog.open) {
      dialog.showModal();
    }
    dialog.scrollTop = 0;
    byId("detail-title").focus();
  }
  return show;
}

function detailHead(dialog, result) {
  const close = element("button", { type: "button", class: "close" }, "Close");
  close.addEventListener("click", () => dialog.close());
  const { encoder, task, protocol } = result;
  return element("div", { class: "detail-head" },
    element("div", null,
      element("h2", { id: "detail-title", tabindex: "-1" }, named(encoder.name), " on ",
        named(versioned(task.name, task.version))),
      element("p", null, "revision ", named(encoder.revision || NONE), `, ${protocol.name}, `
        + `${protocol.track}, ${result.probe.name} probe${task.embedded ? ", embedded data" : ""}. `,
        protocol.conforms ? null : tag("deviates", "warn"))),
    close);
}

function detailBody(index, result, detail) {
  const part = (title, ...content) =>
    element("section", null, element("h3", null, title), ...content);
  return element("div", { class: "detail-body" },
    caveats(result, detail),
    part("Scores", scoreFacts(result, detail)),
    part("Score of every layer", ...layerCharts(result, detail)),
    part("Validation by layer and setting", ...gridChart(index, result, detail)),
    ...labelParts(part, result, detail),
    part("Provenance", element("div", { class: "provenance" }, ...provenance(result, detail))));
}

function chart(name, spec) {
  const target = element("div", { class: "chart" });
  drawChart(name, target, spec);
  return target;
}

function layerCharts(result, { layers, weights }) {
  const [row] = result.rows;
  const reported = row.reported[0]?.value;
  const share = row.unit === "percent" ? 100 : 1;
  const made = [chart("layerCurve", {
    layers: layers.map((each) => ({ ...each, chosen: each.name === result.chosen.layer })),
    metric: row.metric,
    unit: row.unit,
    published: reported === undefined ? null : reported / share,
  })];
  if (weights.length > 0) {
    made.push(element("h4", null, "Weights of the learned sum"), chart("sumWeights", { weights }));
  }
  return made;
}

function gridChart(index, result, { grid }) {
  const [row] = result.rows;
  const drawing = chart("gridMap", {
    points: grid,
    layers: [...new Set(grid.map((each) => each.layer))],
    chosen: { layer: result.chosen.layer, setting: result.chosen.setting },
    metric: row.metric,
    unit: row.unit,
    settingName: result.probe.setting,
  });
  return index.header.every_seed
    ? [drawing]
    : [element("p", null, "Means over the seeds; the result file holds every seed."), drawing];
}

function labelParts(part, result, { labels, confusion }) {
  const parts = [];
  if (confusion.length > 0) {
    parts.push(part("Confusion", chart("confusion", {
      labels: labels.map((each) => each.name), table: confusion,
    })));
  }
  if (labels.length > 0) {
    // What a label scores is always a share.
    const units = Object.fromEntries(
      labels.flatMap((each) => Object.keys(each.scores)).map((metric) => [metric, "percent"]));
    parts.push(part("Score of every label", chart("labelScores", { labels, units })));
  }
  return parts;
}
