'use strict';
// The race draws the calls of both lanes while they run, over what a plan expects.

const form = byId('form');

const concurrentIdeal = () => (Number(byId('limit').value) ? 'ideally' : 'the slowest');
const lanes = {
  sequential: new Lane('sequential', 1, () => 'the sum'),
  concurrent: new Lane('concurrent', 2, concurrentIdeal),
};
const bothLanes = Object.values(lanes);
let scale = 1000; // width of a lane in milliseconds
let abort; // aborts the race in progress
let frameRequested = false;

// fixedScale returns the width of the lanes for a plan: its longer lane, and a millisecond
// for each call, which usual ones do not take.
const fixedScale = (plan) =>
  (plan?.sequential ? Math.max(1.08 * plan.sequential.total_ms + plan.calls, 1) : 1000);

// peak returns the calls in flight that an area of full height shows.
const peak = () => Math.min(Number(byId('limit').value) || Infinity, lanes.concurrent.rows);

// drawFrame draws both lanes to one scale. It doubles if a lane is longer.
const drawFrame = () => {
  const longest = Math.max(...bothLanes.map((lane) => lane.elapsed()));
  while (scale < longest) scale *= 2;
  for (const lane of bothLanes) {
    lane.show();
    lane.draw(scale, peak());
  }
  if (abort) {
    showRatio();
    requestFrame();
  }
};
const requestFrame = () => {
  if (frameRequested) return;
  const draw = () => { frameRequested = false; drawFrame(); };
  frameRequested = true;
  if (reducedMotion.matches) setTimeout(draw, 250); else requestAnimationFrame(draw);
};

// speedup returns a ratio with three digits or all before the point: "1.97 ×".
const speedup = (ratio) => `${ratio.toFixed(ratio < 9.995 ? 2 : ratio < 99.95 ? 1 : 0)} ×`;

// unbroken returns a time whose unit stays on the line of its number.
const unbroken = (time) => time.replace(' ', '\u00a0');

// showFigure shows a speed-up, large. kind is expected, running or "".
const showFigure = (ratio, kind = '') => {
  byId('figure').textContent = Number.isFinite(ratio) ? speedup(ratio) : '';
  byId('figure').className = kind;
};

// showRatio shows how many times as long the race takes as its faster lane.
const showRatio = () => {
  const { sequential, concurrent } = lanes;
  if (concurrent.rows > 0) showFigure(sequential.elapsed() / concurrent.elapsed(), 'running');
};

const showResult = (text, figure, bad = false) => {
  const [strong, rest] = byId('result').children;
  byId('result').classList.toggle('bad', bad);
  strong.textContent = figure ? speedup(figure) : '';
  rest.textContent = text;
  showFigure(figure);
};

// Plans.

let plan; // the response of /race/plan for the form, or undefined
let planned = Promise.resolve(); // settles when plan is up to date
let raced = false; // a race has used plan

// makePlan fetches the plan of the form, and shows it unless a race is running.
const makePlan = () => {
  const query = formQuery(form).toString();
  planned = (async () => {
    let next;
    try {
      const response = await fetch(`/race/plan?${query}`, { signal: AbortSignal.timeout(3000) });
      if (response.ok) next = await response.json();
    } catch {
      // There is no plan: the lanes show none, and the race says what is wrong.
    }
    if (query !== formQuery(form).toString()) return; // a newer plan is on its way
    plan = next;
    raced = false;
  })();
  return planned;
};

const showPlan = () => {
  for (const [name, lane] of Object.entries(lanes)) lane.setPlan(plan?.[name]);
  scale = fixedScale(plan);
  if (plan?.concurrent) lanes.concurrent.setTitle(plan.concurrent.title);
};

// showExpected shows the plan before a race.
const showExpected = () => {
  if (abort) return;
  showPlan();
  const calls = plan?.calls ?? 0;
  for (const lane of bothLanes) lane.reset(calls, lastCallName(formQuery(form)));
  const { sequential, concurrent } = plan ?? {};
  if (sequential?.total_ms > 0) {
    showResult(`If only the waits take time: ${unbroken(axisTime(sequential.total_ms))} one after another, ` +
      `${unbroken(axisTime(concurrent.total_ms))} ${concurrent.title.toLowerCase()}.`);
    showFigure(sequential.total_ms / concurrent.total_ms, 'expected');
  } else {
    showResult('Press Race to start both.');
  }
  drawFrame();
};

// Races.

// endRace ends the race in progress and shows its result.
const endRace = (text, figure, bad) => {
  abort?.();
  abort = undefined;
  for (const lane of bothLanes) lane.stop();
  form.querySelector('button').textContent = 'Race';
  byId('result').removeAttribute('aria-busy');
  showResult(text, figure, bad);
};

const showTotal = (lane, { total_ms: total, sum_ms: sum, peak_in_flight: peak, seen_by: seen, answer }) => {
  lane.finish(total, typeof answer === 'string' ? answer : JSON.stringify(answer));
  const figures = {
    total: seconds(total), sum: sum === undefined ? 'unknown' : seconds(sum),
    peak: peak ?? 'unknown', seen: seen ?? '–',
  };
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
  if (failure) return [`A call failed: ${failure}.`, undefined, true];
  if (sequential.rows === 0) return ['No calls to wait for: both responded ok.'];
  const title = concurrent.title().toLowerCase();
  const unseen = bothLanes.some((lane) => lane.calls.size === 0) ?
    ' Only totals: the app does not pass X-Run-Id on with its calls.' : '';
  for (const lane of bothLanes) lane.showWhole();
  return [
    `as fast: ${title} took ${unbroken(seconds(concurrent.total))}, ` +
      `one after another ${unbroken(seconds(sequential.total))}.${unseen}`,
    sequential.total / concurrent.total,
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
  if (raced) makePlan();
  await planned;
  if (abort !== stop) return; // the race was stopped
  raced = true;
  showPlan();
  if (plan?.seed !== undefined && !query.has('seed')) query.set('seed', plan.seed);
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
    } else if (response.status === 400 || response.status === 403) {
      location.reload(); // the page shows the error of each field
      return;
    }
  } catch {
    // The stream was aborted or cut.
  }
  clearTimeout(timeout);
  if (abort !== stop) return; // the race has ended
  if (started) endRace('The event stream was cut, which cancelled the calls. Race again?', undefined, true);
  else if (query.has('against')) endRace('The event stream did not arrive. Race again?', undefined, true);
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
    if (!request.signal.aborted) endRace(`No response: ${error.message}. Is the server running?`, undefined, true);
  }
};

// keepURL shows the form in the URL, and whether the page is shown as slides.
const keepURL = () => {
  const query = formQuery(form);
  if (document.body.classList.contains('presenting')) query.set('present', 1);
  history.replaceState(null, '', `?${query}`);
};

form.addEventListener('submit', (event) => {
  event.preventDefault();
  if (abort) {
    endRace('Stopped: the remaining calls were cancelled.');
    return;
  }
  keepURL();
  form.querySelector('button').textContent = 'Stop';
  for (const lane of bothLanes) lane.reset(lane.rows, lane.lastName);
  byId('result').setAttribute('aria-busy', 'true');
  showResult('Racing …');
  race(formQuery(form));
  requestFrame();
});

// An edited form matches no preset, and its errors are outdated.
let edited;
form.addEventListener('input', ({ target }) => {
  selectPreset(undefined);
  target.removeAttribute('aria-invalid');
  clearTimeout(edited);
  edited = setTimeout(() => makePlan().then(showExpected), 250);
});

// selectPreset marks a preset as the current one, or none.
const selectPreset = (link) => {
  document.querySelector('.presets [aria-current]')?.removeAttribute('aria-current');
  link?.setAttribute('aria-current', 'true');
  const notice = byId('notice');
  if (!notice) return; // no preset is within the limits
  notice.hidden = !link;
  notice.textContent = link?.closest('li').dataset.notice ?? '';
};

// choosePreset fills the form, and ends the race in progress.
const choosePreset = (link) => {
  if (abort) endRace('Stopped: the remaining calls were cancelled.');
  const values = new URL(link.href).searchParams;
  for (const name of ['calls', 'delay', 'db', 'limit']) {
    byId(name).value = values.get(name) ?? '';
    byId(name).removeAttribute('aria-invalid');
  }
  byId('seed')?.remove();
  selectPreset(link);
  keepURL();
  makePlan().then(showExpected);
};

for (const link of document.querySelectorAll('.presets a')) {
  link.addEventListener('click', (event) => {
    if (event.ctrlKey || event.metaKey || event.shiftKey || event.altKey) return; // another tab
    event.preventDefault();
    choosePreset(link);
  });
}

if (!form.querySelector('[aria-invalid]')) makePlan().then(showExpected);
for (const query of [matchMedia('(prefers-color-scheme: dark)'), reducedMotion]) {
  query.addEventListener('change', requestFrame);
}
new ResizeObserver(requestFrame).observe(lanes.sequential.canvas);
drawFrame();
