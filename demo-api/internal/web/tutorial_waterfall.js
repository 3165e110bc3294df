'use strict';
// The waterfalls of the tutorial: a bar for each call of a run, from its start to its end.

const svg = (name, attributes, text = '') => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
};

const lastEnd = (calls) => Math.max(0, ...calls.map(({ to }) => to));

// expectedCalls returns the calls of a query in both lanes, if they took no longer than
// they wait.
const expectedCalls = (query) => {
  const parameters = new URLSearchParams(query);
  const waits = Array(Number(parameters.get('calls'))).fill(Number(parameters.get('delay')));
  const names = waits.map((_, i) => `r${i + 1}`);
  if (parameters.has('db')) {
    waits[waits.length - 1] = Number(parameters.get('db'));
    names[names.length - 1] = 'db';
  }
  let end = 0;
  return {
    sequential: waits.map((wait, i) => ({ name: names[i], from: end, to: end += wait })),
    concurrent: waits.map((wait, i) => ({ name: names[i], from: 0, to: wait })),
  };
};

// describe returns the text alternative of a waterfall.
const describe = (title, calls, measured) => {
  const total = formatTime(lastEnd(calls));
  const each = calls.length > 6 ? [] : calls.map(({ name, from, to }) =>
    `${name} from ${formatTime(from)} to ${formatTime(to)}`);
  return [`${title}, ${measured ? 'measured' : 'expected'}: ${calls.length} calls in ${total}`, ...each].join('; ');
};

// ticksUpTo returns at most five round times from 0 to an end.
const ticksUpTo = (end) => {
  const power = 10 ** Math.floor(Math.log10(end / 4));
  const step = [1, 2, 5, 10].map((n) => n * power).find((n) => end / n <= 4.001);
  return Array.from({ length: Math.floor(end / step + 0.001) + 1 }, (_, i) => i * step);
};

// draw draws calls on a scale that ends at `end` milliseconds.
const draw = (picture, title, calls, end, measured) => {
  const labelled = calls.length <= 6;
  const row = labelled ? 22 : 88 / calls.length;
  const height = row * calls.length;
  const percent = (ms) => `${(100 * ms / end).toFixed(3)}%`;
  const image = svg('svg', { role: 'img', 'aria-label': describe(title, calls, measured), height: height + 22 });
  if (!measured) image.classList.add('expected');
  for (const tick of ticksUpTo(end)) {
    const anchor = tick === 0 ? 'start' : tick / end > 0.95 ? 'end' : 'middle';
    image.append(svg('line', { class: 'tick', x1: percent(tick), x2: percent(tick), y1: 0, y2: height + 4 }),
      svg('text', { class: 'time', x: percent(tick), y: height + 18, 'text-anchor': anchor },
        end < 1000 ? `${tick} ms` : `${tick / 1000} s`));
  }
  for (const [i, { name, from, to }] of calls.entries()) {
    const bar = { x: percent(from), width: percent(to - from), y: i * row + (labelled ? 2 : 0) };
    bar.height = labelled ? row - 4 : Math.max(row, 1);
    image.append(svg('rect', { class: name === 'db' ? 'bar query' : 'bar', rx: labelled ? 3 : 0, ...bar }));
    if (labelled) {
      image.append(svg('text', { class: 'name', x: percent(from), dx: 6, y: bar.y + row - 9 }, name));
    }
  }
  image.append(svg('line', { class: 'now', visibility: 'hidden', y1: 0, y2: height + 4 }));
  picture.replaceChildren(image);
};

// drawBoth draws both lanes of a panel on one scale. The first `measured` lanes are
// measured, the others expected.
const drawBoth = (panel, callsOfLanes, measured) => {
  const end = Math.max(...callsOfLanes.map(lastEnd));
  for (const [i, { name, title }] of lanes.entries()) {
    const picture = panel.querySelector(`.waterfall.${name}`);
    if (callsOfLanes[i].length > 0) draw(picture, title, callsOfLanes[i], end, i < measured);
  }
};

// drawExpected draws the lanes of a panel as they should be.
const drawExpected = (panel, query) => {
  const { sequential, concurrent } = expectedCalls(query);
  drawBoth(panel, [sequential, concurrent], 0);
};

// movePointer moves the line of the current time to a part of the width, or hides it.
const movePointer = (picture, part) => {
  const line = picture.querySelector('.now');
  if (!line) return;
  line.setAttribute('visibility', part >= 0 && part <= 1 ? 'visible' : 'hidden');
  for (const end of ['x1', 'x2']) line.setAttribute(end, `${(100 * part).toFixed(2)}%`);
};

for (const button of document.querySelectorAll('button[data-query]')) {
  drawExpected(button.closest('.run'), button.dataset.query);
}
