// The heat maps: one of them is shown, its cells lead to the results, and the arrow keys
// go from cell to cell, so that a map of thousands is one stop of the Tab key.

function heatMaps(index, state, changed) {
  const section = byId("maps");
  if (!section) {
    return () => {};
  }
  const maps = [...section.querySelectorAll(".map")];
  const chooser = section.querySelector("select");
  byId("map-chooser").hidden = maps.length < 2;
  chooser.addEventListener("change", () => {
    state.map = chooser.value === "0" ? "" : chooser.value;
    changed();
  });
  section.addEventListener("keydown", moveInMap);
  return function show() {
    const wanted = maps[Number(state.map)] ? Number(state.map) : 0;
    state.map = wanted === 0 ? "" : String(wanted);
    chooser.value = String(wanted);
    maps.forEach((map, place) => {
      map.hidden = place !== wanted;
    });
    linkCells(index, maps[wanted]);
  };
}

function linkCells(index, map) {
  let first = true;
  for (const cell of map.querySelectorAll("td[data-r]")) {
    const result = index.results[Number(cell.dataset.r)];
    const link = element("a", { href: `#r=${result.id}`, "data-r": result.place,
      tabindex: first ? "0" : "-1" }, cell.textContent);
    cell.removeAttribute("data-r");
    cell.replaceChildren(link);
    first = false;
  }
}

const STEPS = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] };

function moveInMap(event) {
  const link = event.target.closest("td a");
  const step = STEPS[event.key];
  if (!link || !step) {
    return;
  }
  const next = nextCell(link.closest("td"), step);
  event.preventDefault();
  if (next) {
    link.tabIndex = -1;
    next.tabIndex = 0;
    next.focus();
  }
}

// The next cell with a result in that direction; cells without one are stepped over.
function nextCell(cell, [down, right]) {
  const rows = cell.closest("tbody").rows;
  let [row, column] = [cell.parentNode.sectionRowIndex + down, cell.cellIndex + right];
  while (rows[row]?.cells[column]) {
    const link = rows[row].cells[column].querySelector("a");
    if (link) {
      return link;
    }
    row += down;
    column += right;
  }
  return null;
}
