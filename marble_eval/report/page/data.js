// What the page knows: its results with their rows, and the details of one when asked.

const SCALE = 10000; // scores are packed as whole numbers of 1/10,000
const FINE = 1000000; // what is written elsewhere too

function asNumber(value) {
  return Number.isNaN(value) ? null : value;
}

function score(value, scale = SCALE) {
  return Number.isNaN(value) ? null : value / scale;
}

async function openIndex() {
  const { header, columns } = await block("index");
  const results = header.ids.map((id, place) => {
    const shared = (name) => header.tables[name][columns[name][place]];
    const result = { id, place, rows: [] };
    for (const name of Object.keys(header.tables)) {
      result[name] = shared(name);
    }
    result.extractSeconds = score(columns.extract[place]);
    result.clipsEncoded = columns.encoded[place];
    return result;
  });
  const rows = runRows(header, columns, results).concat(reportedRows(header.reported));
  return { header, results, rows: inOrder(rows), blocks: new Map() };
}

function runRows(header, columns, results) {
  const rows = [];
  for (const result of results) {
    for (const [metric, higher] of result.metrics) {
      const at = rows.length;
      const row = {
        result,
        source: "run",
        encoder: result.encoder.name,
        revision: result.encoder.revision,
        licence: result.encoder.licence,
        task: result.task.name,
        taskVersion: result.task.version,
        protocol: result.protocol.name,
        protocolVersion: result.protocol.version,
        conforms: result.protocol.conforms,
        deviations: result.protocol.deviations.join("; "),
        layer: result.chosen.layer,
        metric,
        higher,
        main: result.rows.length === 0,
        unit: header.units[metric],
        value: columns.value[at] / SCALE,
        low: (columns.value[at] - columns.below[at]) / SCALE,
        high: (columns.value[at] + columns.above[at]) / SCALE,
        n: columns.n[at],
        reference: result.id,
        reported: header.matches[columns.reported[at]].map((each) => header.reported[each]),
        reproduced: asNumber(columns.reproduced[at]), // 1, 0 or nothing to say
      };
      result.rows.push(row);
      rows.push(row);
    }
  }
  return rows;
}

function reportedRows(reported) {
  return reported.map((each) => ({
    result: null,
    source: "reported",
    encoder: each.encoder,
    revision: "",
    licence: "",
    task: each.task,
    taskVersion: null,
    protocol: each.protocol,
    protocolVersion: null,
    conforms: null,
    deviations: each.note,
    layer: "",
    metric: each.metric,
    higher: true,
    main: each.main,
    unit: each.unit,
    value: each.value,
    low: null,
    high: null,
    n: null,
    reference: each.source,
    reported: [],
    reproduced: null,
  }));
}

// The details lie in blocks of neighbours; a block is unpacked once.
async function openDetail(index, result) {
  const starts = index.header.chunks;
  const number = starts.findLastIndex((start) => start <= result.place);
  if (!index.blocks.has(number)) {
    index.blocks.set(number, block(`block-${number}`));
  }
  const { header, columns } = await index.blocks.get(number);
  return detailOf(header, columns, result.place - starts[number]);
}

// Cut one result's share out of every column.
function detailOf(header, columns, at) {
  const share = {};
  for (const [name, lengths] of Object.entries(header.lengths)) {
    const fixed = typeof lengths === "number";
    const start = fixed ? at * lengths : lengths.slice(0, at).reduce((sum, each) => sum + each, 0);
    const count = fixed ? lengths : lengths[at];
    share[name] = Array.from(columns[name].subarray(start, start + count));
  }
  const table = (name) => header.tables[name][share[name][0]];
  return {
    unit: header.unit[at],
    created: header.created[at],
    features: header.features[at],
    layers: layersOf(table("curve"), header.tables.settings, share),
    weights: table("weighted").map((layer, i) => ({ layer, weight: score(share.weights[i]) })),
    grid: gridOf(table("design"), share),
    scores: scoresOf(share),
    labels: labelsOf(table("labels"), table("measured"), share),
    confusion: confusionOf(table("labels").length, share),
    missing: table("missing"),
    expected: share.counts[0],
    scored: share.counts[1],
    missingCount: share.counts[2],
    clipsCached: share.cost[0],
    featureBytes: share.cost[1],
    trainSeconds: score(share.train[0]),
  };
}

function layersOf(names, settings, share) {
  return names.map((name, i) => ({
    name,
    value: score(share.value[i], FINE),
    low: score(share.value[i] - share.below[i], FINE),
    high: score(share.value[i] + share.above[i], FINE),
    valid: score(share.valid[i]),
    tied: share.tied[i] === 1,
    setting: settings[share.setting[i]],
  }));
}

function gridOf([layers, settings, seeds], share) {
  let sum = 0;
  return share.grid.map((difference, i) => {
    sum += difference;
    const [layer, setting, seed] = [layers[i], settings[i], seeds[i]];
    return { layer, setting, seed, epochs: share.epochs[i], valid: score(sum) };
  });
}

function scoresOf(share) {
  let first = 0;
  return share.seed_count.map((count, i) => {
    const seeds = share.seed_values.slice(first, first + count).map((each) => score(each, FINE));
    first += count;
    return { seeds, spread: score(share.spread[i], FINE), ceiling: score(share.ceiling[i], FINE) };
  });
}

function labelsOf(names, measured, share) {
  return names.map((name, i) => ({
    name,
    n: share.label_n[i],
    scores: Object.fromEntries(
      measured.map((metric, m) => [metric, score(share.label_scores[m * names.length + i])]),
    ),
  }));
}

function confusionOf(classes, share) {
  if (share.cells.length === 0) {
    return [];
  }
  const table = Array.from({ length: classes }, () => new Array(classes).fill(0));
  let cell = 0;
  share.cells.forEach((difference, i) => {
    cell += difference;
    table[Math.floor(cell / classes)][cell % classes] = share.cell_counts[i];
  });
  return table;
}
