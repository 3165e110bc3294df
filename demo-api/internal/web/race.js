'use strict';
// The race draws the calls of both lanes while they run. Times are in
// milliseconds from the start of a lane.
const seconds = (ms) => `${(ms / 1000).toFixed(3)} s`;
const figureRow = (name) => document.querySelector(`#figures [data-row=${name}]`);

class Lane {
  constructor(id, column) {
    this.section = byId(id);
    this.output = byId(`${id}-output`); // curl command and response
    this.column = column; // of the table
    this.canvas = this.section.querySelector('canvas');
    this.part = (selector) => this.section.querySelector(selector);
    this.reset(0);
  }

  // reset prepares the lane for the calls r1, r2, … and lastName.
  reset(calls, lastName = `r${calls}`) {
    byId('result').classList.remove('bad');
    Object.assign(this, { calls: new Map(), rows: calls, lastName });
    Object.assign(this, { origin: undefined, total: undefined, failed: undefined });
    this.section.classList.toggle('tall', calls > 12);
    this.section.classList.remove('over');
    this.output.lastElementChild.textContent = '';
    for (const row of document.querySelectorAll('#figures [data-row]')) row.cells[this.column].textContent = '–';
    this.show();
  }

  start() { this.origin = performance.now(); }

  beginCall(call, time) { this.calls.set(call, { begin: time }); }

  endCall(call, time, status) { Object.assign(this.calls.get(call), { end: time, ok: status >= 200 && status < 400 }); }

  finish(total, response) {
    this.total = total;
    this.section.classList.add('over');
    this.output.lastElementChild.textContent = response;
  }

  elapsed() { return this.total ?? (this.origin === undefined ? 0 : performance.now() - this.origin); }

  // stop stops the clock of a lane that has no total.
  stop() { this.total ??= this.elapsed(); }

  title() { return this.part('h2').textContent; }

  setTitle(title) {
    this.part('h2').textContent = title;
    document.querySelector('#figures thead').rows[0].cells[this.column].textContent = title;
  }

  callName(row) { return row === this.rows - 1 ? this.lastName : `r${row + 1}`; }

  show() {
    const ended = [...this.calls.values()].filter((call) => call.end !== undefined).length;
    this.part('.count').textContent = this.rows > 0 ? `${ended} of ${this.rows}` : '';
    this.part('.clock').textContent = seconds(this.elapsed());
  }

  // draw draws the calls. The lane is scale milliseconds wide.
  draw(scale) {
    const { width, height } = this.canvas.getBoundingClientRect();
    this.canvas.width = Math.round(width * devicePixelRatio);
    this.canvas.height = Math.round(height * devicePixelRatio);
    const pen = this.canvas.getContext('2d');
    pen.scale(devicePixelRatio, devicePixelRatio);
    const style = getComputedStyle(this.canvas);
    const ink = getComputedStyle(document.body).color;
    pen.font = `${style.fontSize} ${style.fontFamily}`;
    pen.textBaseline = 'middle';

    const axis = 20;
    const row = (height - axis) / Math.max(this.rows, 1);
    const hasNames = row >= 13;
    const left = hasNames ? pen.measureText(this.callName(this.rows - 1)).width + 12 : 0;
    const x = (time) => left + (width - left) * Math.min(time / scale, 1);
    this.drawAxis(pen, { x, ink, scale, width, bottom: height - axis });
    const gap = row > 4 ? Math.min(row / 5, 4) : 0;
    const elapsed = this.elapsed();
    for (let i = 0; i < this.rows; i++) {
      const top = i * row;
      const call = this.calls.get(this.callName(i));
      if (hasNames) {
        pen.fillStyle = ink;
        pen.globalAlpha = call ? 0.85 : 0.4;
        pen.fillText(this.callName(i), 0, top + row / 2);
      }
      if (!call) continue;
      const from = x(call.begin);
      pen.fillStyle = call.end === undefined || call.ok ? style.color : style.accentColor;
      pen.globalAlpha = call.end === undefined ? 0.55 : 1;
      pen.beginPath();
      pen.roundRect(from, top + gap / 2, Math.max(x(call.end ?? elapsed) - from, 1), Math.max(row - gap, 1), gap);
      pen.fill();
    }
  }

  // drawAxis draws the ticks from right to left, without overlapping labels.
  drawAxis(pen, { x, ink, scale, width, bottom }) {
    pen.fillStyle = ink;
    const step = tickStep(scale, width - x(0), pen.measureText('0000.00 ms').width);
    let right = width; // left edge of the label to the right
    for (let i = Math.floor(scale / step); i >= 0; i--) {
      const time = i * step, tick = x(time);
      pen.globalAlpha = 0.14;
      pen.fillRect(Math.min(tick, width - 1), 0, 1, bottom);
      const label = scale < 1000 ? `${+time.toPrecision(3)} ms` : `${+(time / 1000).toPrecision(4)} s`;
      const labelWidth = pen.measureText(label).width;
      const left = Math.min(Math.max(tick - labelWidth / 2, 0), width - labelWidth);
      if (left + labelWidth > right) continue;
      pen.globalAlpha = 0.65;
      pen.fillText(label, left, bottom + 12);
      right = left - 6;
    }
  }
}

// tickStep returns the smallest round step in milliseconds whose labels fit on an
// axis of width pixels.
const tickStep = (scale, width, labelWidth) => {
  const min = scale * Math.min(labelWidth / width, 1 / 2);
  const power = 10 ** Math.floor(Math.log10(min));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= min) ?? min;
};

const lanes = { sequential: new Lane('sequential', 1), concurrent: new Lane('concurrent', 2) };
const bothLanes = Object.values(lanes);
let scale = 1000; // width of a lane in milliseconds
let abort; // aborts the race in progress
let frameRequested = false;

// drawFrame draws both lanes to one scale: a power of two while the race runs, the
// time of the slower lane at the end.
const drawFrame = () => {
  const longest = Math.max(...bothLanes.map((lane) => lane.elapsed()));
  let target = longest || 1000;
  if (abort) for (target = 500; target < longest; target *= 2);
  const arrived = reducedMotion.matches || Math.abs(target - scale) < target / 500;
  scale = arrived ? target : scale + (target - scale) * 0.2;
  for (const lane of bothLanes) {
    lane.show();
    lane.draw(scale);
  }
  if (abort || scale !== target) requestFrame();
};
const requestFrame = () => {
  if (frameRequested) return;
  const draw = () => { frameRequested = false; drawFrame(); };
  frameRequested = true;
  if (reducedMotion.matches) setTimeout(draw, 250); else requestAnimationFrame(draw);
};

const showResult = (text, figure = '', bad = false) => {
  const [strong, rest] = byId('result').children;
  byId('result').classList.toggle('bad', bad);
  strong.textContent = figure;
  rest.textContent = text;
};

// endRace ends the race in progress and shows its result.
const endRace = (text, figure, bad) => {
  abort?.();
  abort = undefined;
  for (const lane of bothLanes) lane.stop();
  form.querySelector('button').textContent = 'Race';
  showResult(text, figure, bad);
};

const showTotal = (lane, { total_ms: total, sum_ms: sum, peak_in_flight: peak, seen_by: seen, answer }) => {
  lane.finish(total, typeof answer === 'string' ? answer : JSON.stringify(answer));
  const figures = { total: seconds(total), sum: seconds(sum), peak: peak ?? 'unknown', seen: seen ?? '–' };
  for (const [name, text] of Object.entries(figures)) figureRow(name).cells[lane.column].textContent = text;
};

const showFailure = (lane, total, problem) => {
  lane.finish(total, `${problem.status} ${problem.title}: ${problem.detail}`);
  lane.failed = problem.detail;
};

// compareLanes returns the arguments of endRace for a race that ran to its end.
const compareLanes = () => {
  const { sequential, concurrent } = lanes;
  const failure = sequential.failed ?? concurrent.failed;
  if (failure) return [`A call failed: ${failure}.`, '', true];
  if (sequential.rows === 0) return ['No calls to wait for: both responded ok.'];
  const title = concurrent.title().toLowerCase();
  return [
    `times as fast: ${title} took ${seconds(concurrent.total)}, one after another ${seconds(sequential.total)}.`,
    (sequential.total / concurrent.total).toFixed(2),
  ];
};

// lastCallName returns "db" if a query replaces the last call.
const lastCallName = (query) => (new URLSearchParams(query).get('db') ? 'db' : undefined);

const onEvent = {
  lane: (lane, { title, calls, curl }, query) => {
    lane.reset(calls, lastCallName(query));
    lane.setTitle(title);
    lane.output.firstElementChild.textContent = curl;
    lane.start();
  },
  begin: (lane, { call, at_ms: time }) => lane.beginCall(call, time),
  end: (lane, { call, at_ms: time, status }) => lane.endCall(call, time, status),
  total: (lane, data) => showTotal(lane, data),
  failed: (lane, { total_ms: total, problem }) => showFailure(lane, total, problem),
  done: () => endRace(...compareLanes()),
};

// race runs a race and draws its event stream. If no event arrives, it falls back
// to raceWithoutEvents: a proxy may buffer the stream.
const race = async (query) => {
  const request = new AbortController();
  const stop = () => request.abort();
  abort = stop;
  const timeout = setTimeout(stop, 3000);
  let started = false;
  try {
    const response = await fetch(`/race/events?${query}`, { signal: request.signal });
    if (response.ok) {
      for await (const [name, data] of readEvents(response)) {
        started = true;
        clearTimeout(timeout);
        onEvent[name](lanes[data.lane], data, query);
      }
    }
  } catch {
    // The stream was aborted or cut.
  }
  clearTimeout(timeout);
  if (abort !== stop) return; // the race has ended
  if (started) endRace('The event stream was cut, which cancelled the calls. Race again?', '', true);
  else raceWithoutEvents(query);
};

// raceWithoutEvents requests both endpoints. It draws each lane as one call.
const raceWithoutEvents = async (query) => {
  const request = new AbortController();
  abort = () => request.abort();
  const run = async (lane) => {
    const response = await fetch(`${lane.section.dataset.path}?${query}`, { signal: request.signal });
    const text = await response.text();
    const elapsed = lane.elapsed();
    lane.endCall('all', elapsed, response.status);
    if (response.ok) {
      const timings = [...response.headers.get('Server-Timing').matchAll(/dur=([\d.]+)/g)];
      const [total, ...calls] = timings.map(([, time]) => Number(time));
      showTotal(lane, { total_ms: total, sum_ms: calls.reduce((sum, time) => sum + time, 0), answer: text });
    } else {
      showFailure(lane, elapsed, JSON.parse(text));
      if (response.status === 400) location.reload(); // the page shows the error of each field
    }
  };
  for (const lane of bothLanes) {
    lane.reset(1, 'all');
    lane.start();
    lane.beginCall('all', 0);
  }
  try {
    await Promise.all(bothLanes.map(run));
    endRace(...compareLanes());
  } catch (error) {
    if (!request.signal.aborted) endRace(`No response: ${error.message}. Is the server running?`, '', true);
  }
};

const form = byId('form');
form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (abort) {
    endRace('Stopped: the remaining calls were cancelled.');
    return;
  }
  const query = formQuery(form);
  history.replaceState(null, '', `?${query}`);
  form.querySelector('button').textContent = 'Stop';
  for (const lane of bothLanes) lane.reset(lane.rows, lane.lastName);
  showResult('Racing …');
  scale = 500;
  race(query.toString());
  requestFrame();
});

// An edited form matches no preset, and its errors are outdated.
form.addEventListener('input', ({ target }) => {
  form.querySelector('[aria-current]')?.removeAttribute('aria-current');
  byId('notice')?.remove();
  target.removeAttribute('aria-invalid');
});

if (!form.querySelector('[aria-invalid]')) {
  for (const lane of bothLanes) lane.reset(Number(byId('calls').value), lastCallName(location.search));
}
for (const query of [matchMedia('(prefers-color-scheme: dark)'), reducedMotion]) {
  query.addEventListener('change', requestFrame);
}
addEventListener('resize', requestFrame);
drawFrame();
