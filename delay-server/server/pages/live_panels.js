'use strict';
// The panels of pools, barriers, holds and problems. A panel without entries is hidden.

// showPanel shows the items of a state in the list of a panel.
const showPanel = (id, items, rows) => {
  const panel = byId(id);
  panel.hidden = items.length === 0;
  setRows(panel.querySelector('ul, ol'), items, rows);
};

// dots fills parent with marks, of which the first are full.
const maxDots = 40;
const setDots = (parent, full, all) => {
  parent.hidden = all > maxDots;
  if (parent.hidden) return;
  while (parent.children.length > all) parent.lastChild.remove();
  while (parent.children.length < all) parent.append(element('i'));
  [...parent.children].forEach((dot, i) => dot.classList.toggle('full', i < full));
};

const makeEntry = (kind) => () => {
  const dots = element('span', kind);
  dots.setAttribute('aria-hidden', 'true');
  return element('li', '', element('strong', 'name'), element('span', 'figures-text'), dots,
    element('p', 'who'));
};

const nameOf = ({ name, run }) => (run ? `${name} of run ${run}` : name);

const maxNames = 12;
const whoWaits = (requests, all) => {
  const names = requests.slice(0, maxNames).map(({ run, attempt }) =>
    `${run || 'without a run'}${attempt > 1 ? ` #${attempt}` : ''}`);
  return names.join(', ') + (all > names.length ? ` and ${count(all - names.length)} more` : '');
};

const makePool = () => {
  const entry = makeEntry('squares')();
  const queue = element('span', 'queue');
  queue.setAttribute('aria-hidden', 'true');
  entry.querySelector('.squares').after(queue);
  return entry;
};

const showPools = (pools) => showPanel('pools', pools, {
  key: ({ name, run }) => JSON.stringify([name, run]),
  make: makePool,
  fill: (entry, pool) => {
    setText(entry.querySelector('.name'), nameOf(pool));
    setDots(entry.querySelector('.squares'), pool.busy, pool.workers);
    const limit = pool.queue ?? Infinity;
    setDots(entry.querySelector('.queue'), pool.queued, limit <= maxDots ? limit : pool.queued);
    const queue = limit === Infinity ? `${count(pool.queued)} queued`
      : `${count(pool.queued)} of ${count(limit)} queued`;
    setText(entry.querySelector('.figures-text'), `${count(pool.busy)} of ${count(pool.workers)} busy, ${queue}`);
    entry.classList.toggle('full', pool.busy >= pool.workers && pool.queued >= limit);
  },
});

const showBarriers = (barriers) => showPanel('barriers', barriers, {
  key: ({ name, run }) => JSON.stringify([name, run]),
  make: makeEntry('circles'),
  fill: (entry, barrier) => {
    setText(entry.querySelector('.name'), nameOf(barrier));
    const here = barrier.waiting.length + (barrier.more ?? 0);
    setDots(entry.querySelector('.circles'), here, barrier.parties);
    setText(entry.querySelector('.figures-text'), `${count(here)} of ${count(barrier.parties)} are here`);
    setText(entry.querySelector('.who'), whoWaits(barrier.waiting, here));
  },
});

// showHolds shows the holds. release is called with a hold and the number of requests to
// release, undefined for all.
const showHolds = (holds, release) => showPanel('holds', holds, {
  key: ({ name, run }) => JSON.stringify([name, run]),
  make: (hold) => {
    const entry = makeEntry('circles')();
    const name = nameOf(hold);
    entry.append(element('p', 'actions',
      actionButton('Release', `Release all requests of hold ${name}`, () => release(hold)),
      actionButton('Release one', `Release one request of hold ${name}, the oldest`, () => release(hold, 1))));
    return entry;
  },
  fill: (entry, hold) => {
    setText(entry.querySelector('.name'), nameOf(hold));
    setDots(entry.querySelector('.circles'), hold.waiting, hold.waiting);
    setText(entry.querySelector('.figures-text'), `${count(hold.waiting)} waiting`);
    setText(entry.querySelector('.who'), whoWaits(hold.held, hold.waiting));
    entry.querySelector('.actions').lastChild.hidden = hold.waiting < 2;
  },
});

// showProblems shows the problems, the newest first. now is the time on the server's clock.
const showProblems = (problems, now, filterBy) => {
  const newestFirst = problems.toReversed();
  showPanel('problems', newestFirst, {
    key: ({ at, type, path, run }) => JSON.stringify([at, type, path, run]),
    make: ({ run, type }) => {
      const link = element('a', 'type', type.split('/').at(-1));
      link.href = type;
      const entry = element('li', '', element('span', 'status'), link, element('code', 'path'));
      if (run) {
        const button = element('button', 'link', run);
        button.type = 'button';
        button.setAttribute('aria-label', `Show only run ${run}`);
        button.addEventListener('click', () => filterBy(run));
        entry.append(button);
      }
      entry.append(element('span', 'times'), element('time'));
      return entry;
    },
    fill: (entry, { status, path, count: times }) => {
      setText(entry.querySelector('.status'), String(status));
      setText(entry.querySelector('.path'), path);
      setText(entry.querySelector('.times'), times > 1 ? `× ${count(times)}` : '');
    },
  });
  const entries = byId('problems').querySelectorAll('li');
  newestFirst.forEach(({ at }, i) => {
    if (entries[i]) setText(entries[i].querySelector('time'), `${shortTime(Math.max(now - at, 0))} ago`);
  });
};
