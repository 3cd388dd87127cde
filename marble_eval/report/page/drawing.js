// The drawing of charts is large and seldom needed at once: it is unpacked and run when
// the first chart is. The page's policy names its digest, so that nothing else can run.

let charts = null;

function loadCharts() {
  charts ??= unzipped(byId("charts-code").textContent).then((bytes) => {
    document.head.append(element("script", null, new TextDecoder().decode(bytes)));
    return window.MarbleCharts;
  });
  return charts;
}

// One chart that fails must not take the rest of the page with it, and is told of.
async function drawChart(name, target, spec) {
  try {
    const drawing = await loadCharts();
    target.replaceChildren();
    drawing[name](target, spec);
  } catch (error) {
    target.replaceChildren(element("p", { class: "notice" }, `This chart failed: ${error.message}`));
  }
}
