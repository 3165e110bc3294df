'use strict';
// The exercises: one at a time, in the visitor's language and name, and the visitor's tries
// as the server sees them.

const sections = [...document.querySelectorAll('.exercise')];

// stored is a choice that the browser keeps.
const stored = (key) => ({
  get value() { return localStorage.getItem(key) ?? ''; },
  set value(text) { localStorage.setItem(key, text); },
});

// One exercise at a time, the one in the address.
const currentSection = () => sections.find((s) => s.dataset.id === location.hash.slice(1)) ?? sections[0];

const showSection = () => {
  const current = currentSection();
  for (const section of sections) section.hidden = section !== current;
  for (const step of document.querySelectorAll('[data-step]')) {
    if (step.dataset.step === current.dataset.id) step.setAttribute('aria-current', 'step');
    else step.removeAttribute('aria-current');
  }
};
addEventListener('hashchange', () => {
  showSection();
  scrollTo(0, 0);
  byId(`title-${currentSection().dataset.id}`).focus({ preventScroll: true });
});
showSection();

// Languages: tabs, of which arrow keys choose the next.
const language = stored('language');

const showLanguage = () => {
  for (const section of sections) {
    const tabs = [...section.querySelectorAll('[role=tab]')];
    if (!tabs.length) continue;
    const chosen = tabs.find((tab) => tab.dataset.language === language.value) ?? tabs[0];
    for (const tab of tabs) {
      tab.setAttribute('aria-selected', tab === chosen);
      tab.tabIndex = tab === chosen ? 0 : -1;
      byId(tab.getAttribute('aria-controls')).hidden = tab !== chosen;
    }
  }
};
document.addEventListener('click', (event) => {
  const tab = event.target.closest('[role=tab]');
  if (!tab) return;
  language.value = tab.dataset.language;
  showLanguage();
});
document.addEventListener('keydown', (event) => {
  const tab = event.target.closest('[role=tab]');
  const by = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  if (!tab || !by) return;
  const tabs = [...tab.parentElement.children];
  const next = tabs[(tabs.indexOf(tab) + by + tabs.length) % tabs.length];
  next.click();
  next.focus();
});
showLanguage();

// The name goes into the programs, and says whose tries to show.
const attendee = stored('name');
const nameField = byId('name');

const showName = () => {
  for (const span of document.querySelectorAll('.attendee')) span.textContent = attendee.value || 'your-name';
  for (const link of document.querySelectorAll('.download')) {
    link.search = attendee.value && `?name=${encodeURIComponent(attendee.value)}`;
  }
};

let feed = new AbortController(); // of the visitor's tries
let person; // the newest state of the visitor; undefined before the first request

const words = { passed: 'Passed', failed: 'Not yet', running: 'Running' };

// verdictOf describes a try that has no verdict, or one that does.
const verdictOf = (t) => words[t.verdict] ?? (t.waiting ? 'Running' : 'Seen');

const figures = (t) => `${t.requests === 1 ? '1 request' : `${t.requests} requests`}, ` +
  `at most ${t.peak} at once, ${(t.wall / 1000).toFixed(2)} s`;

// pictures has the waterfall of each exercise that was tried.
const pictures = new Map();

const showPicture = (section, t) => {
  const host = section.querySelector('.shown');
  host.hidden = !t;
  if (!t) return;
  if (!pictures.has(section)) pictures.set(section, new Waterfall(host));
  pictures.get(section).show(t.run, `/board/waterfall.svg?${new URLSearchParams({ run: t.run, version: t.version })}`);
};

const showTries = (section) => {
  const place = section.querySelector('.tries');
  const tries = person?.tries.filter((t) => t.exercise === section.dataset.id) ?? [];
  const key = JSON.stringify([attendee.value, tries, person?.passed.includes(section.dataset.id)]);
  if (place.dataset.shown === key) return; // nothing new: a screen reader says nothing
  place.dataset.shown = key;
  const verdict = element('div');
  const [newest, ...older] = tries;
  if (!newest) {
    verdict.append(element('p', 'idle', attendee.value
      ? 'Run it: the server is watching.' : 'Type your name above, then run the program: the server is watching.'));
  } else {
    verdict.append(element('p', `word ${newest.verdict || 'running'}`, verdictOf(newest)));
    for (const detail of newest.details ?? []) verdict.append(element('p', 'detail', `${detail}.`));
    verdict.append(element('p', 'figures-line', figures(newest)));
    const next = sections[sections.indexOf(section) + 1];
    if (newest.verdict === 'passed' && next) {
      const link = element('a', 'next', `Next: ${next.querySelector('h2').textContent}`);
      link.href = `#${next.dataset.id}`;
      verdict.append(link);
    }
  }
  place.querySelector('.verdict').replaceChildren(...verdict.children);
  showPicture(section, newest);
  place.querySelector('.older').replaceChildren(...older.slice(0, 5).map((t) => element('li', '',
    element('span', `word ${t.verdict || 'running'}`, verdictOf(t)), ` ${(t.details ?? [])[0] ?? figures(t)}`)));
};

const showPerson = () => {
  for (const step of document.querySelectorAll('[data-step]')) {
    const passed = person?.passed.includes(step.dataset.step) ?? false;
    step.classList.toggle('passed', passed);
    step.querySelector('.passed-word').hidden = !passed;
  }
  sections.forEach(showTries);
};

const follow = () => {
  feed.abort();
  feed = new AbortController();
  person = undefined;
  showPerson();
  if (!attendee.value) return;
  const name = attendee.value;
  watchState(`/board/events?${new URLSearchParams({ name })}`, (state) => {
    person = state.people.find((p) => p.name === name);
    showPerson();
  }, (text) => { byId('feed-status').textContent = text; }, feed.signal);
};

const takeName = () => {
  const text = nameField.value.trim();
  const valid = nameField.checkValidity();
  byId('name-status').textContent = valid ? '' : 'Use letters, digits and . _ @ + - without spaces.';
  if (!valid || text === attendee.value) return;
  attendee.value = text;
  showName();
  follow();
};
byId('who').addEventListener('submit', (event) => { event.preventDefault(); takeName(); });
nameField.addEventListener('change', takeName);
nameField.addEventListener('input', () => {
  if (nameField.checkValidity()) byId('name-status').textContent = '';
});
nameField.value = attendee.value;
showName();
follow();
