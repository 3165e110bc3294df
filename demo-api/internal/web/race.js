'use strict';
// The race: one stream of events, and two lanes that draw their calls while
// these run. Times are milliseconds from the start of a lane.
const at = (id) => document.getElementById(id);
const seconds = (ms) => `${(ms / 1000).toFixed(3)} s`;
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const figures = (name) => document.querySelector(`#figures [data-of=${name}]`);

class Lane {
  constructor(id, column) {
    this.section = at(id);
    this.said = at(`${id}-said`); // request and answer
    this.column = column; // of the table
    this.canvas = this.section.querySelector('canvas');
    this.part = (selector) => this.section.querySelector(selector);
    this.reset(0);
  }

  // reset makes the lane one of so many calls, none of which has begun: r1, r2
  // and so on, and the last.
  reset(calls, last = `r${calls}`) {
    at('result').classList.remove('bad');
    Object.assign(this, { calls: new Map(), rows: calls, last, origin: undefined, total: undefined, failed: undefined });
    this.section.classList.toggle('tall', calls > 12);
    this.section.classList.remove('over');
    this.said.lastElementChild.textContent = '';
    for (const row of document.querySelectorAll('#figures [data-of]')) row.cells[this.column].textContent = '–';
    this.show();
  }

  start() { this.origin = performance.now(); }

  begin(call, time) { this.calls.set(call, { begun: time }); }

  end(call, time, status) { Object.assign(this.calls.get(call), { ended: time, good: status >= 200 && status < 400 }); }

  finish(total, answer) {
    this.total = total;
    this.section.classList.add('over');
    this.said.lastElementChild.textContent = answer;
  }

  elapsed() { return this.total ?? (this.origin === undefined ? 0 : performance.now() - this.origin); }

  // stop has the clock stand, where the lane will not be told how it ended.
  stop() { this.total ??= this.elapsed(); }

  title() { return this.part('h2').textContent; }

  name(row) { return row === this.rows - 1 ? this.last : `r${row + 1}`; }

  show() {
    const over = [...this.calls.values()].filter((call) => call.ended !== undefined).length;
    this.part('.count').textContent = this.rows > 0 ? `${over} of ${this.rows}` : '';
    this.part('.clock').textContent = seconds(this.elapsed());
  }

  // draw draws the calls, of which the lane is as wide as scale.
  draw(scale) {
    const { width, height } = this.canvas.getBoundingClientRect();
    const sharp = devicePixelRatio;
    this.canvas.width = Math.round(width * sharp);
    this.canvas.height = Math.round(height * sharp);
    const pen = this.canvas.getContext('2d');
    pen.scale(sharp, sharp);
    const style = getComputedStyle(this.canvas);
    const ink = getComputedStyle(document.body).color;
    const bad = style.accentColor;
    pen.font = `${style.fontSize} ${style.fontFamily}`;
    pen.textBaseline = 'middle';

    const axis = 20;
    const row = (height - axis) / Math.max(this.rows, 1);
    const named = row >= 13;
    const left = named ? pen.measureText(this.name(this.rows - 1)).width + 12 : 0;
    const x = (time) => left + (width - left) * Math.min(time / scale, 1);
    this.drawAxis(pen, { x, ink, scale, width, floor: height - axis });
    const gap = row > 4 ? Math.min(row / 5, 4) : 0;
    const elapsed = this.elapsed();
    for (let i = 0; i < this.rows; i++) {
      const top = i * row;
      const call = this.calls.get(this.name(i));
      if (named) {
        pen.fillStyle = ink;
        pen.globalAlpha = call ? 0.85 : 0.4;
        pen.fillText(this.name(i), 0, top + row / 2);
      }
      if (!call) continue;
      const from = x(call.begun);
      pen.fillStyle = call.ended === undefined || call.good ? style.color : bad;
      pen.globalAlpha = call.ended === undefined ? 0.55 : 1;
      pen.beginPath();
      pen.roundRect(from, top + gap / 2, Math.max(x(call.ended ?? elapsed) - from, 1), Math.max(row - gap, 1), gap);
      pen.fill();
    }
  }

  drawAxis(pen, { x, ink, scale, width, floor }) {
    pen.fillStyle = ink;
    const step = tickStep(scale, width - x(0), pen.measureText('0000.00 ms').width);
    let free = width; // where the label of the tick to the right begins
    for (let i = Math.floor(scale / step); i >= 0; i--) {
      const time = i * step, place = x(time);
      pen.globalAlpha = 0.14;
      pen.fillRect(Math.min(place, width - 1), 0, 1, floor);
      const label = scale < 1000 ? `${+time.toPrecision(3)} ms` : `${+(time / 1000).toPrecision(4)} s`;
      const room = pen.measureText(label).width;
      const from = Math.min(Math.max(place - room / 2, 0), width - room);
      if (from + room > free) continue;
      pen.globalAlpha = 0.65;
      pen.fillText(label, from, floor + 12);
      free = from - 6;
    }
  }
}

// tickStep returns the smallest round step, in milliseconds, whose labels have room
// on an axis of width pixels.
const tickStep = (scale, width, room) => {
  const least = scale * Math.min(room / width, 1 / 2);
  const power = 10 ** Math.floor(Math.log10(least));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= least) ?? least;
};

const lanes = { sequential: new Lane('sequential', 1), concurrent: new Lane('concurrent', 2) };
const both = Object.values(lanes);
let scale = 1000; // how much time a lane is wide
let running; // how to end the race that runs
let coming = false; // a frame is

// frame draws both lanes to one scale, which doubles as time goes on and is the
// longer lane's in the end.
const frame = () => {
  const longest = Math.max(...both.map((lane) => lane.elapsed()));
  let aim = longest || 1000;
  if (running) for (aim = 500; aim < longest; aim *= 2);
  scale = calm.matches || Math.abs(aim - scale) < aim / 500 ? aim : scale + (aim - scale) * 0.2;
  for (const lane of both) {
    lane.show();
    lane.draw(scale);
  }
  if (running || scale !== aim) next();
};
const next = () => {
  if (coming) return;
  const come = () => { coming = false; frame(); };
  coming = true;
  if (calm.matches) setTimeout(come, 250); else requestAnimationFrame(come);
};

const say = (text, figure = '', bad = false) => {
  const [strong, rest] = at('result').children;
  at('result').classList.toggle('bad', bad);
  strong.textContent = figure;
  rest.textContent = text;
};

// over ends the race, with what there is to say of it; bad marks a failure.
const over = (text, figure, bad) => {
  running?.();
  running = undefined;
  for (const lane of both) lane.stop();
  form.querySelector('button').textContent = 'Race';
  say(text, figure, bad);
};

const tell = (lane, { total_ms: total, sum_ms: sum, peak_in_flight: peak, seen_by: seen, answer }) => {
  lane.finish(total, typeof answer === 'string' ? answer : JSON.stringify(answer));
  const all = { total: seconds(total), sum: seconds(sum), peak: peak ?? 'not seen', seen: seen ?? '–' };
  for (const [name, text] of Object.entries(all)) figures(name).cells[lane.column].textContent = text;
};

const fail = (lane, total, problem) => {
  lane.finish(total, `${problem.status} ${problem.title}: ${problem.detail}`);
  lane.failed = problem.detail;
};

const verdict = () => {
  const [turn, once] = both;
  if (turn.failed || once.failed) return [`Not all was answered: ${turn.failed ?? once.failed}.`, '', true];
  if (turn.rows === 0) return ['There was nothing to wait for: both answered ok.'];
  const way = once.title().toLowerCase();
  return [`times as fast: ${way} took ${seconds(once.total)}, one after another ${seconds(turn.total)}.`, (turn.total / once.total).toFixed(2)];
};

// last returns the name of the last call that a query asks for, where it is not r3 and the like.
const last = (query) => (new URLSearchParams(query).get('db') ? 'db' : undefined);

// watch races by the stream of events, and plainly where that does not come.
const watch = (query) => {
  const stream = new EventSource(`/race/events?${query}`);
  const patience = setTimeout(() => instead(), 3000);
  let begun = false;
  const instead = () => { stream.close(); plain(query); };
  const on = (name, handle) => stream.addEventListener(name, (event) => {
    begun = true;
    clearTimeout(patience);
    const data = JSON.parse(event.data);
    handle(data, lanes[data.lane]);
  });
  running = () => { clearTimeout(patience); stream.close(); };
  on('lane', ({ title, calls, curl }, lane) => {
    lane.reset(calls, last(query));
    lane.part('h2').textContent = document.querySelector('#figures thead').rows[0].cells[lane.column].textContent = title;
    lane.said.firstElementChild.textContent = curl;
    lane.start();
  });
  on('begin', ({ call, at_ms: time }, lane) => lane.begin(call, time));
  on('end', ({ call, at_ms: time, status }, lane) => lane.end(call, time, status));
  on('total', (data, lane) => tell(lane, data));
  on('failed', ({ total_ms: total, problem }, lane) => fail(lane, total, problem));
  on('done', () => over(...verdict()));
  stream.addEventListener('error', () => {
    clearTimeout(patience);
    if (begun) over('The stream was cut, and with it the calls. What is drawn is what was seen of them. Race again?', '', true);
    else instead();
  });
};

// plain asks the two endpoints themselves, whose calls are not seen one by one.
const plain = async (query) => {
  const leave = new AbortController();
  running = () => leave.abort();
  const ask = async (lane) => {
    const path = `${lane.section.dataset.path}?${query}`;
    const reply = await fetch(path, { signal: leave.signal });
    const text = await reply.text();
    const elapsed = lane.elapsed();
    lane.end('all', elapsed, reply.status);
    if (reply.ok) {
      const [total, ...calls] = [...reply.headers.get('Server-Timing').matchAll(/dur=([\d.]+)/g)].map(([, time]) => Number(time));
      tell(lane, { total_ms: total, sum_ms: calls.reduce((sum, time) => sum + time, 0), answer: text });
    } else {
      fail(lane, elapsed, JSON.parse(text));
      if (reply.status === 400) location.reload(); // the form says what is wrong, beside the field
    }
  };
  for (const lane of both) {
    lane.reset(1, 'all');
    lane.start();
    lane.begin('all', 0);
  }
  try {
    await Promise.all(both.map(ask));
    over(...verdict());
  } catch (error) {
    if (!leave.signal.aborted) over(`No answer: ${error.message}. Is the server still running?`, '', true);
  }
};

const form = at('form');
form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (running) {
    over('Stopped: the calls that were left have been ended.');
    return;
  }
  const query = new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ''));
  history.replaceState(null, '', `?${query}`);
  form.querySelector('button').textContent = 'Stop';
  for (const lane of both) lane.reset(lane.rows, lane.last);
  say('Racing …');
  scale = 500;
  watch(query.toString());
  next();
});

// What is typed is no preset, and no error yet.
form.addEventListener('input', ({ target }) => {
  form.querySelector('[aria-current]')?.removeAttribute('aria-current');
  at('notice')?.remove();
  target.removeAttribute('aria-invalid');
});

if (!form.querySelector('[aria-invalid]')) {
  for (const lane of both) lane.reset(Number(at('calls').value), last(location.search));
}
for (const changed of [matchMedia('(prefers-color-scheme: dark)'), calm]) changed.addEventListener('change', next);
addEventListener('resize', next);
frame();
