'use strict';
// The sweep: its form, the event stream of /sweep/events, the chart, the table.
const at = (id) => document.getElementById(id);

// time writes milliseconds with two digits behind the point, cut: no time reads
// as more than was measured.
const time = (ms) => (ms < 1000 ? `${(Math.floor(ms * 100) / 100).toFixed(2)} ms` : `${(Math.floor(ms / 10) / 100).toFixed(2)} s`);

// events yields [name, data] for each event of a reply, as they come.
async function* events(reply) {
  const reader = reply.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (text + value).split('\n\n');
    text = blocks.pop();
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block);
      if (name) yield [name[1], JSON.parse(/^data: (.*)$/m.exec(block)[1])];
    }
  }
}

// The chart is drawn anew for each point, in pixels, so that its text stays as
// large as the page's. Both axes are logarithmic.
const svg = (name, attributes, text = '') => {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  element.textContent = text;
  return element;
};

const scale = (least, most, from, to) => (value) => from + (to - from) * Math.log(value / least) / Math.log(most / least);

const powers = (least, most) => {
  const found = [];
  for (let power = 1e-3; power <= most; power *= 10) if (power >= least) found.push(power);
  return found;
};

const unit = (ms) => (ms < 0.5 ? `${Math.round(ms * 1000)} µs` : ms < 500 ? `${Math.round(ms)} ms` : `${Math.round(ms / 1000)} s`);

const draw = (counts, points) => {
  const chart = at('chart');
  const em = parseFloat(getComputedStyle(chart).fontSize);
  const width = chart.clientWidth, height = Math.max(16 * em, Math.min(width * 0.5, 32 * em));
  const top = em, right = 0.75 * em, bottom = height - 2.75 * em, left = 3.75 * em;
  chart.setAttribute('viewBox', `0 0 ${width} ${height}`);
  chart.style.height = `${height}px`;
  const times = points.flatMap((p) => [p.sequential_ms ?? p.expected_ms ?? p.concurrent_ms, p.concurrent_ms]);
  const least = Math.min(...times) / 2, most = Math.max(...times) * 2;
  const x = scale(counts[0] / 1.15, counts.at(-1) * 1.15, left, width - right), y = scale(least, most, bottom, top);

  const drawn = [];
  for (const ms of powers(least, most)) {
    drawn.push(svg('line', { class: 'grid', x1: left, x2: width - right, y1: y(ms), y2: y(ms) }));
    drawn.push(svg('text', { x: left - 0.625 * em, y: y(ms) + 0.25 * em, 'text-anchor': 'end' }, unit(ms)));
  }
  let free = -Infinity; // where the next number has room
  for (const calls of counts) {
    drawn.push(svg('line', { class: 'grid', x1: x(calls), x2: x(calls), y1: top, y2: bottom }));
    if (x(calls) < free) continue;
    drawn.push(svg('text', { x: x(calls), y: bottom + 1.25 * em, 'text-anchor': 'middle' }, calls));
    free = x(calls) + 2.125 * em;
  }
  drawn.push(svg('text', { x: (left + width - right) / 2, y: height - 0.25 * em, 'text-anchor': 'middle' }, 'calls'));

  const line = (way, key, of) => {
    if (of.length > 1) drawn.push(svg('polyline', { class: `line ${way}`, points: of.map((p) => `${x(p.calls)},${y(key(p))}`).join(' ') }));
  };
  const measured = points.filter((p) => p.sequential_ms);
  line('turn expected', (p) => p.sequential_ms ?? p.expected_ms, [...measured.slice(-1), ...points.filter((p) => p.expected_ms)]);
  line('turn', (p) => p.sequential_ms, measured);
  line('once', (p) => p.concurrent_ms, points);
  for (const p of measured) drawn.push(svg('circle', { class: 'mark turn', cx: x(p.calls), cy: y(p.sequential_ms), r: 4.5 }));
  for (const p of points) drawn.push(svg('rect', { class: 'mark once', x: x(p.calls) - 4, y: y(p.concurrent_ms) - 4, width: 8, height: 8 }));
  for (const p of points.filter((p) => p.knee)) {
    drawn.push(svg('text', { class: 'knee once', x: x(p.calls) - 0.5 * em, y: y(p.concurrent_ms) - 0.625 * em, 'text-anchor': 'end' }, 'no longer flat'));
  }
  chart.replaceChildren(...drawn);
};

const tabulate = (p) => {
  const row = at('figures').tBodies[0].insertRow();
  const head = document.createElement('th');
  head.scope = 'row';
  head.textContent = p.calls;
  row.append(head);
  const turn = row.insertCell();
  turn.textContent = p.sequential_ms ? time(p.sequential_ms) : p.expected_ms ? `≈ ${time(p.expected_ms)}` : '–';
  if (!p.sequential_ms) turn.className = 'expected';
  row.insertCell().textContent = time(p.concurrent_ms);
  row.insertCell().textContent = p.speedup ? `${p.speedup.toFixed(1)}×` : '–';
  row.insertCell().textContent = p.calls_per_second.toFixed(1);
  if (!p.sequential_ms) at('budget').hidden = false;
};

const calls = (n) => (n === 1 ? '1 call' : `${n} calls`);

// summary says in words what was measured.
const summary = (points) => {
  const last = points.at(-1), turn = points.findLast((p) => p.sequential_ms), knee = points.find((p) => p.knee);
  return [
    `${way[0].toUpperCase()}${way.slice(1)}, ${calls(last.calls)} took ${time(last.concurrent_ms)}.`,
    turn ? `One after another, ${calls(turn.calls)} took ${time(turn.sequential_ms)}: ${turn.speedup.toFixed(1)} times as long as ${way}.` : '',
    knee ? `From ${calls(knee.calls)} on, ${way} is no longer flat.` : '',
  ].join(' ');
};

let counts = [], points = [], running = null;
let way = 'all at once'; // what the concurrent way is called

// name names the concurrent way by the form's limit.
const name = (limit) => {
  way = limit > 0 ? `at most ${limit} at once` : 'all at once';
  for (const element of document.querySelectorAll('[data-way]')) element.textContent = way;
};

// clear makes ready for the next sweep.
const clear = () => {
  counts = [];
  points = [];
  at('figures').tBodies[0].replaceChildren();
  at('chart').replaceChildren();
  at('result').textContent = '';
  at('result').classList.remove('bad');
  at('budget').hidden = at('measured').hidden = true;
};

// take takes in an event and returns whether it is the last.
const take = (name, data) => {
  switch (name) {
    case 'sweep':
      counts = data.calls;
      at('progress').max = counts.length;
      break;
    case 'point':
      points.push(data);
      at('measured').hidden = at('drawn').hidden = at('tabulated').hidden = false;
      at('progress').value = points.length;
      tabulate(data);
      draw(counts, points);
      break;
    case 'failed':
      tell(`Ended at ${calls(data.calls)}: ${data.problem.detail}.`, true);
      return true;
    case 'done':
      tell('');
      return true;
  }
  return false;
};

// tell says how the sweep ended, and what was measured; bad marks a failure.
const tell = (ending, bad = false) => {
  at('measured').hidden = false;
  at('drawn').hidden = at('tabulated').hidden = points.length === 0;
  at('result').classList.toggle('bad', bad);
  at('result').textContent = `${ending} ${points.length ? summary(points) : ''}`.trim();
};

// watch says each tenth of a second what is being measured.
const watch = (start) => setInterval(() => {
  if (points.length < counts.length) {
    at('now').textContent = `${points.length} of ${counts.length} measured, now ${counts[points.length]} calls … ${((performance.now() - start) / 1000).toFixed(1)} s`;
  }
}, 100);

const sweep = async (query) => {
  clear();
  const stop = running = new AbortController();
  const timer = watch(performance.now());
  at('go').textContent = 'Stop';
  at('progress').value = 0;
  at('progress').hidden = at('now').hidden = false;
  at('now').textContent = 'Waiting for the first measurement …';
  let ended = false;
  try {
    const reply = await fetch(`/sweep/events?${query}`, { signal: stop.signal });
    if (reply.status === 400) {
      location.search = query; // the page says what is wrong, beside each field
      return;
    }
    if (!reply.ok) throw new Error((await reply.json()).detail);
    for await (const [name, data] of events(reply)) ended = take(name, data) || ended;
    if (!ended) throw new Error('the stream was cut');
  } catch (error) {
    if (stop.signal.aborted) tell(`Stopped after ${points.length} of ${counts.length}.`);
    else tell(`No more was measured: ${error.message}.`, true);
  } finally {
    clearInterval(timer);
    at('go').textContent = 'Sweep';
    at('progress').hidden = at('now').hidden = true;
    running = null;
  }
};

at('form').addEventListener('submit', (event) => {
  event.preventDefault();
  if (running) {
    running.abort();
    return;
  }
  const query = new URLSearchParams(new FormData(event.target));
  for (const [field, value] of [...query]) if (value === '') query.delete(field);
  name(Number(query.get('limit')));
  history.replaceState(null, '', `/sweep?${query}`);
  sweep(query);
});

addEventListener('resize', () => { if (points.length) draw(counts, points); });
