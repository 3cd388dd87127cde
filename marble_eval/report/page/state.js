// The view is kept in the address after "#", so that a link shows it again. What stands
// there was written by anyone: values are compared with known ones or shown as text.

const CHOICES = ["q", "task", "protocol", "licence", "source", "metrics", "conforming",
  "sort", "direction", "map", "r"];

function readState() {
  const state = Object.fromEntries(CHOICES.map((name) => [name, ""]));
  if (location.hash.includes("=")) {
    const said = new URLSearchParams(location.hash.slice(1));
    for (const name of CHOICES) {
      state[name] = (said.get(name) ?? "").slice(0, 300);
    }
  }
  return state;
}

function addressOf(state) {
  const said = new URLSearchParams();
  for (const name of CHOICES) {
    if (state[name]) {
      said.set(name, state[name]);
    }
  }
  return `#${said}`;
}

// A new view takes the place of the old one; opening a result is a step that Back undoes.
function keepState(state, { step = false } = {}) {
  const address = addressOf(state);
  if (address === location.hash || (address === "#" && location.hash === "")) {
    return;
  }
  history[step ? "pushState" : "replaceState"](null, "", address);
}
