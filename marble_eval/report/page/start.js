// Opens the page: reads what is packed, then makes the static tables work.

function themeSwitch() {
  const field = byId("theme");
  const root = document.documentElement;
  const now = root.dataset.theme ?? "auto";
  field.querySelector(`input[value="${now}"]`).checked = true;
  field.addEventListener("change", (event) => {
    const theme = event.target.value;
    if (theme === "auto") {
      delete root.dataset.theme;
    } else {
      root.dataset.theme = theme;
    }
    try {
      localStorage.setItem("marble-eval-theme", theme);
    } catch {
      // Without storage the choice lasts as long as the page.
    }
  });
  field.hidden = false;
}

// Where nothing can be unpacked the static tables still read; the rest of the rows, kept
// for browsers without JavaScript, is brought in. It is this page's own escaped text.
function fallBack(error) {
  const said = byId("failure");
  said.textContent = "This browser cannot unpack the page's data, so sorting, filters and details "
    + `are missing; the tables are complete for the main metrics. (${error.message})`;
  said.hidden = false;
  const rest = byId("rest");
  if (rest) {
    const parsed = new DOMParser().parseFromString(rest.textContent, "text/html");
    rest.replaceWith(...parsed.body.childNodes);
  }
}

async function start() {
  themeSwitch();
  let index = null;
  try {
    index = await openIndex();
  } catch (error) {
    fallBack(error);
    return;
  }
  const state = readState();
  const changed = () => {
    keepState(state);
    drawTable();
  };
  const showFilters = filterForm(index, state, changed);
  const drawTable = scoreTable(index, state, changed);
  const showMaps = heatMaps(index, state, () => {
    keepState(state);
    showMaps();
  });
  const showDetail = detailView(index, state);
  const showAll = () => {
    showFilters();
    drawTable();
    showMaps();
    showDetail();
  };
  window.addEventListener("popstate", () => {
    if (location.hash === "" || location.hash.includes("=")) { // else a link inside the page
      Object.assign(state, readState());
      showAll();
    }
  });
  showAll();
  overview(index);
  document.documentElement.dataset.ready = "yes";
}

start();
