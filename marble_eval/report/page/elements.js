// Elements made from plain values. Text goes in as text nodes, never as markup, so a
// name from a result file cannot become an element.

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [attribute, value] of Object.entries(attributes ?? {})) {
    if (value !== null && value !== undefined && value !== false) {
      made.setAttribute(attribute, value === true ? "" : value);
    }
  }
  made.append(...children.flat().filter((each) => each !== null && each !== undefined));
  return made;
}

// A name that somebody else chose: kept apart, so that its direction turns nothing around it.
function named(text) {
  return element("bdi", null, String(text));
}

function options(select, values) {
  select.append(...values.map(([value, text]) => element("option", { value }, text)));
}

function byId(id) {
  return document.getElementById(id);
}
