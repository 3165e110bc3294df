'use strict';
// The sweep draws a chart and a table while it measures.

// formatTime truncates milliseconds to two decimals: no time is above the
// measured one.
const formatTime = (ms) => {
  const truncate = (x) => (Math.floor(x * 100) / 100).toFixed(2);
  return ms < 1000 ? `${truncate(ms)} ms` : `${truncate(ms / 1000)} s`;
};

// svg returns an SVG element.
const svg = (name, attributes, text = '') => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
};

// logScale returns a function that maps min to from and max to to.
const logScale = (min, max, from, to) => (value) => from + (to - from) * Math.log(value / min) / Math.log(max / min);

// timeTicks returns the powers of ten from min to max, with 2 and 5 between them if
// they are few.
const timeTicks = (min, max) => {
  const factors = max / min > 100 ? [1] : [1, 2, 5], ticks = [];
  for (let power = 1e-3; power <= max; power *= 10) ticks.push(...factors.map((factor) => factor * power));
  return ticks.filter((tick) => tick >= min && tick <= max);
};

const tickLabel = (ms) => {
  if (ms < 0.999) return `${Math.round(ms * 1000)} µs`;
  return ms < 999 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1000)} s`;
};

// drawChart replaces the chart. It draws in pixels, so that the text of the chart
// has the size of the page's text. The lines of the plan fix the axes; a measurement
// beyond them makes them longer.
const drawChart = () => {
  const chart = byId('chart');
  const ideal = plan?.ideal ?? [];
  if (points.length + ideal.length === 0) {
    chart.replaceChildren();
    return;
  }
  const em = parseFloat(getComputedStyle(chart).fontSize);
  const width = chart.clientWidth, below = innerHeight - chart.getBoundingClientRect().top - scrollY - 4 * em;
  const height = Math.max(16 * em, Math.min(width * 0.5, 32 * em, below));
  const top = em, right = width - 0.75 * em, bottom = height - 2.75 * em, left = 3.75 * em;
  chart.setAttribute('viewBox', `0 0 ${width} ${height}`);
  chart.style.height = `${height}px`;
  const range = (points) => {
    const times = points.flatMap((p) => [p.sequential_ms ?? p.expected_ms ?? p.concurrent_ms, p.concurrent_ms]);
    return [Math.min(...times), Math.max(...times)];
  };
  const [shortest, longest] = range(ideal.length > 0 ? ideal : points), min = shortest / 2;
  let max = 2 * longest;
  while (points.length > 0 && range(points)[1] > max) max *= 2;
  const x = logScale(counts[0] / 1.15, counts.at(-1) * 1.15, left, right), y = logScale(min, max, bottom, top);

  const elements = [];
  const add = (name, attributes, text) => elements.push(svg(name, attributes, text));
  for (const ms of timeTicks(min, max)) {
    add('line', { class: 'grid', x1: left, x2: right, y1: y(ms), y2: y(ms) });
    add('text', { x: left - 0.625 * em, y: y(ms) + 0.25 * em, 'text-anchor': 'end' }, tickLabel(ms));
  }
  let nextLabel = -Infinity; // where the next label fits
  for (const calls of counts) {
    add('line', { class: 'grid', x1: x(calls), x2: x(calls), y1: top, y2: bottom });
    if (x(calls) < nextLabel) continue;
    add('text', { x: x(calls), y: bottom + 1.25 * em, 'text-anchor': 'middle' }, calls);
    nextLabel = x(calls) + 2.125 * em;
  }
  add('text', { x: (left + right) / 2, y: height - 0.25 * em, 'text-anchor': 'middle' }, 'calls');

  const addLine = (lane, time, points) => {
    if (points.length < 2) return;
    add('polyline', { class: `line ${lane}`, points: points.map((p) => `${x(p.calls)},${y(time(p))}`).join(' ') });
  };
  addLine('ideal sequential', (p) => p.sequential_ms, ideal);
  addLine('ideal concurrent', (p) => p.concurrent_ms, ideal);
  const measured = points.filter((p) => p.sequential_ms);
  const expected = [...measured.slice(-1), ...points.filter((p) => p.expected_ms)];
  addLine('sequential expected', (p) => p.sequential_ms ?? p.expected_ms, expected);
  addLine('sequential', (p) => p.sequential_ms, measured);
  addLine('concurrent', (p) => p.concurrent_ms, points);
  for (const p of measured) add('circle', { class: 'mark sequential', cx: x(p.calls), cy: y(p.sequential_ms), r: 4.5 });
  for (const p of points) {
    add('rect', { class: 'mark concurrent', x: x(p.calls) - 4, y: y(p.concurrent_ms) - 4, width: 8, height: 8 });
  }
  for (const p of points.filter((p) => p.knee)) {
    const position = { x: x(p.calls) - 0.5 * em, y: y(p.concurrent_ms) - 0.625 * em };
    add('text', { class: 'knee concurrent', ...position, 'text-anchor': 'end' }, 'no longer flat');
  }
  chart.replaceChildren(...elements);
};

const addRow = (p) => {
  const row = byId('figures').tBodies[0].insertRow();
  const head = document.createElement('th');
  head.scope = 'row';
  head.textContent = p.calls;
  row.append(head);
  const sequential = row.insertCell();
  if (p.sequential_ms) {
    sequential.textContent = formatTime(p.sequential_ms);
  } else {
    sequential.textContent = p.expected_ms ? `≈ ${formatTime(p.expected_ms)}` : '–';
    sequential.className = 'expected';
    byId('budget').hidden = false;
  }
  row.insertCell().textContent = formatTime(p.concurrent_ms);
  row.insertCell().textContent = p.speedup ? `${p.speedup.toFixed(1)}×` : '–';
  row.insertCell().textContent = p.calls_per_second.toFixed(1);
};

const countCalls = (n) => (n === 1 ? '1 call' : `${n} calls`);

// summarize returns the measurements in words.
const summarize = (points) => {
  const last = points.at(-1), sequential = points.findLast((p) => p.sequential_ms), knee = points.find((p) => p.knee);
  const sentences = [
    `${title[0].toUpperCase()}${title.slice(1)}, ${countCalls(last.calls)} took ${formatTime(last.concurrent_ms)}.`,
  ];
  if (sequential) {
    const { calls, sequential_ms: time, speedup } = sequential;
    sentences.push(`One after another, ${countCalls(calls)} took ${formatTime(time)}: ` +
      `${speedup.toFixed(1)} times as long as ${title}.`);
  }
  if (knee) sentences.push(`From ${countCalls(knee.calls)} on, ${title} is no longer flat.`);
  return sentences.join(' ');
};

let counts = [], points = [];
let plan; // the response of /sweep/plan for the form, or undefined
let planned = Promise.resolve(); // settles when plan is up to date
let swept = false; // a sweep has used plan
let abort; // aborts the sweep in progress
let title = 'all at once'; // of the concurrent line

const setTitle = (limit) => {
  title = limit > 0 ? `at most ${limit} at once` : 'all at once';
  for (const element of document.querySelectorAll('[data-concurrent-title]')) element.textContent = title;
};

// reset removes the measurements of the last sweep.
const reset = () => {
  counts = plan?.calls ?? [];
  points = [];
  byId('figures').tBodies[0].replaceChildren();
  byId('result').textContent = '';
  byId('result').classList.remove('bad');
  byId('budget').hidden = byId('tabulated').hidden = true;
  byId('measured').hidden = byId('drawn').hidden = !plan?.ideal;
  drawChart();
};

// makePlan fetches the plan of the form.
const makePlan = () => {
  const query = formQuery(byId('form')).toString();
  planned = (async () => {
    let next;
    try {
      const response = await fetch(`/sweep/plan?${query}`, { signal: AbortSignal.timeout(3000) });
      if (response.ok) next = await response.json();
    } catch {
      // There is no plan: the chart begins with the first measurement.
    }
    if (query !== formQuery(byId('form')).toString()) return; // a newer plan is on its way
    plan = next;
    swept = false;
  })();
  return planned;
};

// showPlan shows the plan before a sweep.
const showPlan = () => {
  if (abort) return;
  setTitle(Number(byId('limit').value));
  reset();
  const last = plan?.ideal?.at(-1);
  if (!last) return;
  byId('result').textContent = `If only the waits take time, ${countCalls(last.calls)} take ` +
    `${planTime(last.sequential_ms)} one after another and ${planTime(last.concurrent_ms)} ${title}.`;
};

const planTime = (ms) => (ms < 1000 ? `${+ms.toPrecision(3)}\u00a0ms` : `${+(ms / 1000).toPrecision(4)}\u00a0s`);

// showResult shows how the sweep ended and a summary. bad marks a failure.
const showResult = (ending, bad = false) => {
  byId('measured').hidden = false;
  byId('drawn').hidden = byId('tabulated').hidden = points.length === 0;
  byId('result').classList.toggle('bad', bad);
  byId('result').textContent = `${ending} ${points.length ? summarize(points) : ''}`.trim();
};

// onEvent has the handlers of events. A handler returns true for the last event.
const onEvent = {
  sweep: ({ calls }) => {
    counts = calls;
    byId('progress').max = counts.length;
  },
  point: (point) => {
    points.push(point);
    byId('measured').hidden = byId('drawn').hidden = byId('tabulated').hidden = false;
    byId('progress').value = points.length;
    addRow(point);
    drawChart();
  },
  failed: ({ calls, problem }) => {
    showResult(`Failed at ${countCalls(calls)}: ${problem.detail}.`, true);
    return true;
  },
  done: () => {
    showResult('');
    return true;
  },
};

// showProgress updates the progress line until its interval is cleared.
const showProgress = (start) => setInterval(() => {
  if (points.length === counts.length) return;
  const elapsed = ((performance.now() - start) / 1000).toFixed(1);
  byId('now').textContent = `${points.length} of ${counts.length} measured, ` +
    `now ${countCalls(counts[points.length])} … ${elapsed} s`;
}, 100);

const sweep = async (query) => {
  const request = new AbortController();
  abort = () => request.abort();
  const interval = showProgress(performance.now());
  byId('go').textContent = 'Stop';
  byId('progress').value = 0;
  byId('form').classList.add('running');
  byId('now').textContent = 'Waiting for the first measurement …';
  let ended = false;
  if (swept) makePlan();
  await planned;
  swept = true;
  reset();
  try {
    if (plan?.seed !== undefined && !query.has('seed')) query.set('seed', plan.seed);
    const response = await fetch(`/sweep/events?${query}`, { signal: request.signal });
    if (response.status === 400) {
      location.reload(); // the page shows the error of each field
      return;
    }
    if (!response.ok) throw new Error((await response.json()).detail);
    for await (const [name, data] of readEvents(response)) ended = onEvent[name](data) || ended;
    if (!ended) throw new Error('the event stream was cut');
  } catch (error) {
    if (request.signal.aborted) showResult(`Stopped after ${points.length} of ${counts.length}.`);
    else showResult(`The sweep failed: ${error.message}.`, true);
  } finally {
    clearInterval(interval);
    byId('go').textContent = 'Sweep';
    byId('form').classList.remove('running');
    abort = undefined;
  }
};

byId('form').addEventListener('submit', (event) => {
  event.preventDefault();
  if (abort) {
    abort();
    return;
  }
  const query = formQuery(event.target);
  setTitle(Number(query.get('limit')));
  history.replaceState(null, '', `/sweep?${query}`);
  sweep(query);
});

// The errors of an edited form are outdated.
let edited;
byId('form').addEventListener('input', ({ target }) => {
  target.removeAttribute('aria-invalid');
  clearTimeout(edited);
  edited = setTimeout(() => makePlan().then(showPlan), 250);
});

if (!byId('form').querySelector('[aria-invalid]')) makePlan().then(showPlan);
addEventListener('resize', drawChart);
