// Where a result comes from: what was run, on what, by which rules, at what cost.

function provenance(result, detail) {
  return [
    facts("Task", taskFacts(result)),
    facts("Encoder", encoderFacts(result)),
    facts("Features", featureFacts(result, detail)),
    facts("Protocol and probe", protocolFacts(result)),
    facts("Cost", costFacts(result, detail)),
    facts("Run and environment", environmentFacts(result, detail)),
  ];
}

function facts(title, pairs) {
  return element("section", { class: "facts" },
    element("h4", null, title),
    element("dl", null, ...pairs.map(([name, value]) => element("div", null,
      element("dt", null, name),
      element("dd", null, named(said(value)))))));
}

function said(value) {
  if (value === null || value === undefined || value === "") {
    return NONE;
  }
  if (Array.isArray(value)) {
    return value.length === 0 ? NONE : value.map(said).join(", ");
  }
  return typeof value === "number" ? plainNumber(value) : String(value);
}

function plainNumber(value) {
  const size = Math.abs(value);
  return size !== 0 && (size < 0.001 || size >= 1e15)
    ? String(value)
    : value.toLocaleString("en", { maximumFractionDigits: 4 });
}

function rules(record) {
  const words = (value) => (Array.isArray(value) ? `[${said(value)}]` : said(value ?? "none"));
  return Object.entries(record).map(([name, value]) => `${name.replaceAll("_", " ")} ${words(value)}`);
}

// What was measured once is not known to four places.
function roughly(value) {
  return value.toLocaleString("en", { maximumSignificantDigits: 3 });
}

function taskFacts({ task }) {
  return [
    ["task", `${task.name}, version ${task.version} (${task.kind})`],
    ["licence of the data", task.licence],
    ["tracks", Object.entries(task.sizes).map(([split, count]) => `${split} ${plainNumber(count)}`)],
    ["data digest", task.data_digest],
    ["split digest", task.split_digest],
    ["card digest", task.card_digest],
    ["provided by", task.provider],
  ];
}

function encoderFacts({ encoder }) {
  return [
    ["encoder", encoder.name],
    ["revision", encoder.revision],
    ["licence of the weights", encoder.licence],
    ["trained on", encoder.trained_on],
    ["known overlap with the task's data", encoder.overlap || "none stated"],
    ["citation", encoder.citation],
    ["parameters", encoder.parameters],
    ["layers", `${encoder.layers.length} of width ${encoder.width}`],
    ["sample rate", `${plainNumber(encoder.sample_rate)} Hz`],
    ["frame rate", `${plainNumber(encoder.frame_rate)} Hz`],
    ["precision", encoder.precision],
    ["step of pre-training", encoder.step],
    ["remote code", encoder.remote_code ?? "none"],
    ["fingerprint", encoder.fingerprint],
  ];
}

function featureFacts({ features }, detail) {
  return [
    ["windowing", rules(features.windowing)],
    ["pooling", features.pooling],
    ["number type", features.dtype],
    ["clips", features.clips],
    ["frame rate", features.frame_rate === null ? "frames are averaged" : `${features.frame_rate} Hz`],
    ["fingerprint", detail.features],
  ];
}

function protocolFacts({ protocol, probe, choices, chosen, encoder }) {
  return [
    ["protocol", `${protocol.name}, version ${protocol.version}, ${protocol.track}`],
    ["deviations", protocol.deviations.length ? protocol.deviations : "none"],
    ["rules for frames", protocol.frames ? rules(protocol.frames) : "none"],
    ["probe", `${[probe.name, ...Object.entries(probe.options).map((each) => each.join(" "))].join(", ")}`],
    ["layers to choose from", choices.layers.length > encoder.layers.length
      ? `all ${encoder.layers.length} and their learned sum` : choices.layers],
    ["seeds", choices.seeds.map(String)],
    ["chosen on validation", `layer ${chosen.layer}, ${probe.setting} ${chosen.setting}`],
  ];
}

function costFacts(result, detail) {
  return [
    ["extraction", `${roughly(result.extractSeconds)} s for ${counted(result.clipsEncoded, "clip")}; `
      + `${plainNumber(detail.clipsCached)} more came from the cache`],
    ["probes", `${roughly(detail.trainSeconds)} s for the whole grid`],
    ["features", `${roughly(detail.featureBytes / 1e6)} MB`],
  ];
}

function environmentFacts({ environment, tool_version }, detail) {
  return [
    ["made", detail.created],
    ["harness", `marble-eval ${tool_version}`],
    ["unit", detail.unit],
    ["Python", environment.python],
    ["platform", environment.platform],
    ["device", environment.device],
    ["packages", Object.entries(environment.packages).map((each) => each.join(" "))],
  ];
}
