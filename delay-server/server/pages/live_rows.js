'use strict';

// dotOf returns a dot of the colour of a run.
const dotOf = (run) => {
  const dot = element('span', 'dot');
  dot.style.setProperty('--of-run', `light-dark(${shadesOf(run).join()})`);
  return dot;
};

const actionButton = (text, name, act) => {
  const button = element('button', 'quiet', text);
  button.type = 'button';
  button.setAttribute('aria-label', name);
  button.addEventListener('click', act);
  return button;
};

// setRows makes list have an element for each item, in order. Elements of known keys stay:
// make(item) returns a new one, and fill(element, item) changes it when the item differs.
const setRows = (list, items, { key, make, fill }) => {
  const known = list.rowsByKey ?? new Map();
  const keys = new Set(items.map(key));
  for (const [id, row] of known) {
    if (keys.has(id)) continue;
    row.element.remove();
    known.delete(id);
  }
  let next = known.values().next().value?.element ?? null;
  const rows = new Map();
  for (const item of items) {
    const id = key(item);
    if (rows.has(id)) continue;
    const row = known.get(id) ?? { element: make(item) };
    const text = JSON.stringify(item);
    if (row.text !== text) fill(row.element, item);
    row.text = text;
    rows.set(id, row);
    if (row.element === next) next = next.nextElementSibling;
    else list.insertBefore(row.element, next);
  }
  list.rowsByKey = rows;
};
