'use strict';

const stage = new Stage(byId('picture'));
const state = { last: undefined, at: 0, busyAt: 0 }; // the newest, its Date.now(), and when something waited

// say shows the result of a button; a failure has the colour of failures.
const say = (text, failed = false) => {
  byId('outcome').textContent = text;
  byId('outcome').classList.toggle('bad', failed);
};

// act calls the admin API for a button.
const act = async (path, body, done = '') => {
  try {
    await callAdmin('POST', path, body);
    say(done);
  } catch (error) {
    say(error.message, true);
  }
};

// The filter is a run, or '' for all runs. It is in the address of the page.
let watching;

const filteredRun = () => new URLSearchParams(location.search).get('run') ?? '';

const filterBy = (run) => {
  history.pushState(null, '', run ? `?run=${encodeURIComponent(run)}` : location.pathname);
  watch();
};

const watch = () => {
  const run = filteredRun();
  byId('filter-run').value = run;
  byId('all-runs').hidden = run === '';
  byId('try').textContent = byId('try').textContent.replace(/run=[^']*/, `run=${encodeURIComponent(run) || 'you'}`);
  document.title = run ? `delay-server: live, run ${run}` : 'delay-server: live';
  watching?.abort();
  watching = new AbortController();
  stage.clear();
  runs.wanted = run;
  const { signal } = watching;
  watchState(`/admin/live${run ? `?run=${encodeURIComponent(run)}` : ''}`,
    (next) => { if (!signal.aborted) show(next); },
    (reason) => { if (!signal.aborted) setConnection(reason); }, signal);
};

// setConnection shows why the page is not connected. What it last showed is dimmed, and
// bars are removed: nothing outdated looks live.
const setConnection = (reason) => {
  byId('connection').textContent = reason;
  if (reason) disconnect();
};

const disconnect = () => {
  document.body.classList.remove('connected');
  setText(byId('waiting'), '–');
  byId('empty').hidden = true;
  stage.disconnect();
};

const show = (next) => {
  Object.assign(state, { last: next, at: Date.now() });
  document.body.classList.add('connected');
  setText(byId('connection'), '');
  stage.show(next);
  setText(byId('waiting'), count(next.waiting));
  const run = filteredRun();
  setText(byId('unit'), `${next.waiting === 1 ? 'request waits' : 'requests wait'} now${run ? ` in run ${run}` : ''}`);
  setText(byId('arrived'), count(next.arrived));
  setText(byId('answered'), count(next.answered));
  showClock(next.clock);
  showPools(next.pools);
  showBarriers(next.barriers);
  showHolds(next.holds, release);
  showProblems(next.problems, next.now, filterBy);
  runs.show(next.runs);
  if (next.waiting > 0) state.busyAt = Date.now();
  showEmpty();
  showLegend(next);
  setRows(byId('known-runs'), next.runs, {
    key: ({ id }) => id,
    make: ({ id }) => Object.assign(element('option'), { value: id }),
    fill: () => {},
  });
};

// Without requests for a moment, the page says how to send some.
const showEmpty = () => {
  const isEmpty = state.last.waiting === 0 && Date.now() - state.busyAt > 1500;
  byId('empty').hidden = !isEmpty;
  if (stage.isEmpty === isEmpty) return;
  stage.isEmpty = isEmpty;
  stage.requestFrame();
};

const maxPeople = 30;

// The legend has the colours of bars that are too thin for a label.
const showLegend = ({ requests }) => {
  const people = [...new Set(requests.map(({ run }) => personOf(run)))].filter(Boolean).sort();
  const isShown = !stage.bars.labelled && people.length <= maxPeople && !stage.showsArea;
  byId('legend').hidden = !isShown || people.length === 0;
  if (byId('legend').hidden) return;
  setRows(byId('legend'), people, {
    key: (person) => person,
    make: (person) => element('li', '', dotOf(person), person),
    fill: () => {},
  });
};

// The clock.
const showClock = ({ scale, frozen }) => {
  document.body.classList.toggle('frozen', frozen);
  const speed = +(1 / scale).toPrecision(3);
  const pace = scale === 1 ? 'runs in real time' : scale < 1 ? `runs ${count(speed)} times as fast`
    : `runs ${count(+scale.toPrecision(3))} times as slowly`;
  setText(byId('clock-state'), frozen ? 'Clock is frozen' : `Clock ${pace}`);
  setText(byId('freeze').firstElementChild, frozen ? 'Resume' : 'Freeze');
  byId('advance').querySelector('button').disabled = !frozen;
  const field = byId('scale-to');
  if (document.activeElement !== field && field.dataset.shown !== String(scale)) {
    field.value = field.dataset.shown = String(scale);
  }
};

const setClock = (command) => act('/admin/clock', command);

const toggleFreeze = () => { if (state.last) setClock({ freeze: !state.last.clock.frozen }); };

byId('freeze').addEventListener('click', toggleFreeze);
document.addEventListener('keydown', (event) => {
  const isPlain = !event.ctrlKey && !event.altKey && !event.metaKey && !event.shiftKey && !event.repeat;
  if (event.key !== ' ' || !isPlain || event.target.closest('a, button, input, summary, [tabindex]')) return;
  event.preventDefault(); // does not scroll
  toggleFreeze();
});
byId('advance').addEventListener('submit', (event) => {
  event.preventDefault();
  if (!event.submitter?.disabled) setClock({ advance: byId('advance-by').value.trim() });
});
byId('scale').addEventListener('submit', (event) => {
  event.preventDefault();
  const text = byId('scale-to').value.trim();
  const scale = Number(text.replace(',', '.'));
  if (text === '' || Number.isNaN(scale)) say(`Scale "${text}" is no number; 0.1 is ten times as fast.`, true);
  else setClock({ scale });
});

const release = ({ name, run }, number) => {
  const query = new URLSearchParams();
  if (run) query.set('run', run);
  if (number) query.set('count', number);
  return act(`/admin/holds/${encodeURIComponent(name)}/release?${query}`);
};

const runs = new Runs(filterBy);

byId('filter').addEventListener('submit', (event) => {
  event.preventDefault();
  filterBy(byId('filter-run').value.trim());
});
byId('all-runs').addEventListener('click', () => filterBy(''));
addEventListener('popstate', watch);

// Three: a browser opens six connections to a server, and the buttons need one.
byId('send').addEventListener('click', () => {
  const run = encodeURIComponent(filteredRun() || 'you');
  for (const delay of [2000, 3500, 5000]) fetch(`/delay/${delay}?run=${run}`).catch(() => {}); // its bar ends then
});

const maxStateAge = 3000; // ms; while requests wait and time passes, states come at short intervals

setInterval(() => {
  if (!document.body.classList.contains('connected')) return;
  const { clock, waiting } = state.last;
  if (!clock.frozen && waiting > 0 && Date.now() - state.at > maxStateAge) {
    setConnection('The server has been silent for some seconds.');
  }
  showEmpty();
}, 1000);

watch();
