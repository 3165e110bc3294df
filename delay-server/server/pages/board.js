'use strict';

const count = (n, one, many = `${one}s`) => `${n.toLocaleString('en')} ${n === 1 ? one : many}`;

// The signs of exercises and runs, which differ in shape and colour.
const signs = {
  passed: ['✓', 'passed'], failed: ['✗', 'not passed yet'], running: ['…', 'running'], none: ['·', 'not tried'],
};

const setSign = (target, kind) => {
  setText(target, signs[kind][0]);
  target.className = `sign ${kind}`;
};

// kindOf returns what a person has done of an exercise.
const kindOf = (person, exercise) => {
  if (person.passed.includes(exercise)) return 'passed';
  const newest = person.tries.find((one) => one.exercise === exercise);
  if (newest?.verdict === 'running') return 'running';
  return person.failed.includes(exercise) ? 'failed' : 'none';
};

// speed returns the largest figure of a run. A speed-up far below 1 says only that the run
// had pauses.
const speed = (one) => {
  if (one.waiting === 0 && one.speedup < 0.9) return count(one.requests, 'request');
  if (one.peak > 1 && one.speedup > 0) return `${one.speedup.toFixed(2)} ×`;
  return one.wall >= 10000 ? `${(one.wall / 1000).toFixed(1)} s` : `${Math.round(one.wall)} ms`;
};

const svg = (tag, attributes) => {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
};

// drawBars draws a small waterfall of a run.
const drawBars = (picture, one) => {
  const bars = one.bars ?? [];
  const height = Math.max(bars.length, 4);
  const wide = Math.max(one.wall, ...bars.map(([, end]) => end), 1);
  picture.setAttribute('viewBox', `0 0 100 ${height}`);
  picture.replaceChildren(...bars.map(([start, end, state], i) => {
    const x = 100 * start / wide;
    return svg('rect', {
      x: x.toFixed(2), y: i + 0.1, height: 0.8, class: state || 'waiting',
      width: Math.max(1.5, 100 * end / wide - x).toFixed(2),
    });
  }));
};

// Row is a person in the list.
class Row {
  name = element('span', 'name');
  marks = element('span', 'marks');
  figure = element('span', 'figure');
  picture = svg('svg', { class: 'bars', preserveAspectRatio: 'none', 'aria-hidden': 'true' });
  words = element('span', 'words');
  said = element('span', 'hidden'); // the marks, for a screen reader

  constructor(name) {
    this.name.textContent = name;
    this.name.title = name;
    this.marks.setAttribute('aria-hidden', 'true');
    this.button = element('button', 'row', this.name, this.marks, this.said, this.figure, this.picture, this.words);
    this.button.addEventListener('click', () => open(name));
    this.item = element('li', '', this.button);
  }

  show(person, exercises) {
    const state = JSON.stringify([person, exercises.length]);
    if (state === this.state) return;
    this.state = state;
    while (this.marks.children.length < exercises.length) this.marks.append(element('span'));
    while (this.marks.children.length > exercises.length) this.marks.lastChild.remove();
    exercises.forEach(({ id, title }, i) => {
      const kind = kindOf(person, id);
      setSign(this.marks.children[i], kind);
      this.marks.children[i].title = `${title}: ${signs[kind][1]}`;
    });
    setText(this.said, exercises.map(({ id, title }) => [title, kindOf(person, id)])
      .filter(([, kind]) => kind !== 'none').map(([title, kind]) => `${title}: ${signs[kind][1]}. `).join(''));
    const [newest] = person.tries;
    if (!newest) return;
    setText(this.figure, speed(newest));
    drawBars(this.picture, newest);
    setText(this.words, wordsOf(person, newest));
    this.words.classList.toggle('wrong', newest.verdict === 'failed');
  }
}

// wordsOf says in a line how the newest run is.
const wordsOf = (person, one) => {
  const words = one.details[0] ?? one.headline;
  return person.addresses > 1 ? `${person.addresses} addresses use this name. ${words}` : words;
};

const rows = new Map(); // by name
let exercises = [];

const show = (state) => {
  exercises = state.exercises;
  showExercises(state);
  const names = new Set(state.people.map(({ name }) => name));
  for (const [name, row] of rows) {
    if (names.has(name)) continue;
    row.item.remove();
    rows.delete(name);
  }
  for (const person of state.people) { // they keep their order: new ones come last
    if (!rows.has(person.name)) {
      rows.set(person.name, new Row(person.name));
      byId('people').append(rows.get(person.name).item);
    }
    rows.get(person.name).show(person, exercises);
  }
  const n = state.people.length;
  byId('people').className = n > 20 ? 'small' : n > 6 ? 'medium' : 'large';
  document.body.classList.toggle('full', n > 20);
  setText(byId('counts'), n === 0 ? '' : `${count(n, 'person', 'people')}, ` +
    `${count(state.waiting, 'request')} in flight`);
  byId('nobody').hidden = n > 0;
  document.body.classList.toggle('empty', n === 0);
  byId('more').hidden = state.moreNames === 0;
  setText(byId('more'), `${count(state.moreNames, 'more name')}: the board is full.`);
  showClock(state.clock);
};

// showExercises shows the exercises, which number the marks of people, and how many have
// passed each.
const showExercises = ({ people }) => {
  const list = byId('exercises');
  const titles = JSON.stringify(exercises);
  if (titles !== list.dataset.titles) {
    list.dataset.titles = titles;
    list.replaceChildren(...exercises.map(({ title }) =>
      element('li', '', element('span', 'title', title), element('span', 'passes'))));
  }
  exercises.forEach(({ id }, i) => {
    const n = people.filter(({ passed }) => passed.includes(id)).length;
    setText(list.children[i].lastChild, `${n} ✓`);
  });
};

const showClock = ({ frozen, scale }) => {
  const button = byId('freeze');
  button.disabled = false;
  button.dataset.frozen = frozen;
  setText(button, frozen ? 'Let it go' : 'Freeze the room');
  byId('frozen').hidden = !frozen;
  document.body.classList.toggle('still', frozen);
  button.title = scale === 1 ? '' : `Waits take ${scale} times as long.`;
};

byId('freeze').addEventListener('click', async () => {
  const button = byId('freeze');
  button.disabled = true;
  try {
    const response = await callAdmin('POST', '/admin/clock', { freeze: button.dataset.frozen !== 'true' });
    showClock(await response.json());
    setText(byId('status'), '');
  } catch (error) {
    setText(byId('status'), error.message);
  }
  button.disabled = false;
});

// The dialog shows one person, whose runs it follows by a feed of its own.
const dialog = byId('person');
const waterfall = new Waterfall(byId('waterfall'));
let closing = new AbortController();
let chosen = ''; // a run; '' for the newest

const open = (name) => {
  closing.abort();
  closing = new AbortController();
  chosen = '';
  setText(byId('person-name'), name);
  dialog.showModal();
  watchState(`/board/events?name=${encodeURIComponent(name)}`, showPerson,
    (reason) => setText(byId('person-status'), reason), closing.signal);
};

byId('person-close').addEventListener('click', () => dialog.close());
dialog.addEventListener('close', () => closing.abort());
dialog.addEventListener('click', (event) => { if (event.target === dialog) dialog.close(); });

const titleOf = (one) => exercises.find(({ id }) => id === one.exercise)?.title ?? one.run;

const showPerson = ({ people: [person] }) => {
  if (!person) {
    setText(byId('person-status'), 'The runs of this name were removed.');
    byId('tries').replaceChildren();
    return;
  }
  setText(byId('person-figures'), [
    count(person.requests, 'request'),
    person.waiting > 0 ? `${person.waiting} in flight` : '',
    person.addresses > 1 ? `${person.addresses} addresses use this name` : '',
  ].filter(Boolean).join(', '));
  const one = person.tries.find(({ run }) => run === chosen) ?? person.tries[0];
  showTries(person, one);
  showTry(one);
};

const showTries = (person, shown) => {
  const list = byId('tries');
  const state = JSON.stringify([person.tries.map(({ run, verdict, headline }) => [run, verdict, headline]), shown.run]);
  if (list.dataset.state === state) return;
  list.dataset.state = state;
  const focused = list.contains(document.activeElement) ? document.activeElement.dataset.run : '';
  list.replaceChildren(...person.tries.map((one) => {
    const sign = element('span');
    setSign(sign, one.verdict || 'none');
    const button = element('button', '', sign, element('span', 'title', titleOf(one)),
      element('span', 'words', one.headline));
    button.dataset.run = one.run;
    button.setAttribute('aria-pressed', one.run === shown.run);
    button.addEventListener('click', () => {
      chosen = one.run;
      showPerson({ people: [person] });
    });
    return element('li', '', button);
  }));
  if (focused) list.querySelector(`[data-run="${CSS.escape(focused)}"]`)?.focus();
};

const showTry = (one) => {
  const { verdict } = one;
  const sign = element('span');
  setSign(sign, verdict || 'none');
  const words = verdict === '' ? one.headline : `${titleOf(one)}: ${signs[verdict][1]}`;
  if (byId('verdict').dataset.words !== words) {
    byId('verdict').dataset.words = words;
    byId('verdict').replaceChildren(...(verdict === '' ? [] : [sign]), words);
  }
  if (byId('details').dataset.state !== JSON.stringify(one.details)) {
    byId('details').dataset.state = JSON.stringify(one.details);
    byId('details').replaceChildren(...one.details.map((detail) => element('li', '', detail)));
  }
  waterfall.show(one.run, `/board/waterfall.svg?run=${encodeURIComponent(one.run)}&version=${one.version}`);
};

// Without an address for others.
byId('loopback')?.toggleAttribute('hidden', !/^(localhost|127\.|\[::1\])/.test(location.hostname));
watchState('/board/events', show, (reason) => {
  setText(byId('status'), reason);
  document.body.classList.toggle('stale', reason !== '');
});
