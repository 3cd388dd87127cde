// Two views over many results: cost against score, and score by step of pre-training.

function overview(index) {
  const section = byId("overview");
  const groups = [costView(index), stepView(index)];
  section.hidden = !groups.some(Boolean);
  const draw = () => groups.forEach((each) => each && each());
  // Drawn when it comes near the screen or is printed: the charts' code is not needed before.
  const first = () => {
    seen.disconnect();
    removeEventListener("beforeprint", first);
    draw();
  };
  const seen = new IntersectionObserver((entries) => {
    if (entries.some((each) => each.isIntersecting)) {
      first();
    }
  }, { rootMargin: "200px" });
  seen.observe(section);
  addEventListener("beforeprint", first);
}

function groupedBy(results, name) {
  const groups = new Map();
  for (const each of results) {
    const group = name(each);
    if (!groups.has(group)) {
      groups.set(group, []);
    }
    groups.get(group).push(each);
  }
  return groups;
}

function rawScore(row) {
  const share = row.unit === "percent" ? 100 : 1;
  return { value: row.value / share, low: row.low / share, high: row.high / share };
}

function costView(index) {
  const timed = index.results.filter((each) => each.protocol.conforms && costs(each).length > 0);
  const groups = groupedBy(timed, (each) => each.group);
  if (groups.size === 0) {
    byId("cost-view").remove();
    return null;
  }
  const view = byId("cost-view");
  const [task, x] = view.querySelectorAll("select");
  options(task, [...groups.keys()].map((each) => [each, each]));
  const draw = () => {
    const results = groups.get(task.value);
    const [row] = results[0].rows;
    drawChart("costScore", byId("cost-chart"), {
      points: results.flatMap((each) => costPoint(each, x.value)),
      xName: x.value === "seconds" ? "extraction" : "parameters",
      xUnit: x.value === "seconds" ? "seconds per clip" : "",
      metric: row.metric,
      unit: row.unit,
    });
  };
  task.addEventListener("change", draw);
  x.addEventListener("change", draw);
  return draw;
}

function costs(result) {
  return ["seconds", "parameters"].filter((each) => costOf(result, each) !== null);
}

function costOf({ encoder, extractSeconds, clipsEncoded }, what) {
  if (what === "parameters") {
    return encoder.parameters;
  }
  return clipsEncoded > 0 ? extractSeconds / clipsEncoded : null; // all came from the cache
}

function costPoint(result, what) {
  const x = costOf(result, what);
  return x === null ? [] : [{
    name: result.encoder.name,
    task: result.task.name,
    x,
    ...rawScore(result.rows[0]),
    group: result.encoder.name,
  }];
}

function stepView(index) {
  const stepped = index.results.filter((each) => each.encoder.step !== null);
  const series = (each) => `${each.encoder.name} on ${each.group}`;
  const groups = groupedBy(stepped, series);
  for (const [name, results] of groups) {
    if (new Set(results.map((each) => each.encoder.step)).size < 2) {
      groups.delete(name); // one step makes no curve
    }
  }
  if (groups.size === 0) {
    byId("step-view").remove();
    return null;
  }
  const [chooser] = byId("step-view").querySelectorAll("select");
  options(chooser, [...groups.keys()].map((each) => [each, each]));
  const draw = () => {
    const results = groups.get(chooser.value);
    const [row] = results[0].rows;
    drawChart("checkpointCurve", byId("step-chart"), {
      points: results
        .map((each) => ({ step: each.encoder.step, ...rawScore(each.rows[0]), encoder: each.encoder.name }))
        .sort((one, other) => one.step - other.step),
      metric: row.metric,
      unit: row.unit,
    });
  };
  chooser.addEventListener("change", draw);
  return draw;
}
