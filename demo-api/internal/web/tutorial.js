'use strict';
// The tutorial's buttons: both endpoints, one after the other, timed from here.
const calm = matchMedia('(prefers-reduced-motion: reduce)');
const time = (ms) => (ms < 100 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(3)} s`);

// ask requests a path and returns the answer and how long it took, in
// milliseconds. Meanwhile tick is told that.
const ask = async (path, tick) => {
  const begun = performance.now();
  const elapsed = () => performance.now() - begun;
  let frame = 0;
  const next = () => { tick(elapsed()); frame = requestAnimationFrame(next); };
  if (!calm.matches) next();
  try {
    const reply = await fetch(path);
    const text = await reply.text();
    const took = elapsed();
    if (!reply.ok) throw new Error(JSON.parse(text).detail);
    return { text, took };
  } finally {
    cancelAnimationFrame(frame);
  }
};

const run = async (panel, query) => {
  const answers = panel.querySelectorAll('.answer');
  const row = document.querySelector(`#times [data-query="${query}"]`);
  const ways = [['turn', '/get_data'], ['once', '/async_get_data']];
  const times = [];
  succeed(panel);
  for (const cell of [...row.cells].slice(1)) cell.textContent = '–';
  for (const answer of answers) answer.textContent = '';
  for (const [i, [name, path]] of ways.entries()) {
    const figure = panel.querySelector(`[data-figure=${name}]`);
    figure.classList.add('measured');
    const { text, took } = await ask(`${path}?${query}`, (ms) => { figure.textContent = time(ms); });
    figure.textContent = row.cells[i + 1].textContent = time(took);
    answers[i].textContent = `${text.length > 80 ? `${text.slice(0, 60)} … ${text.slice(-16)}` : text}\nreal ${time(took)}\n`;
    times.push(took);
  }
  // Where nothing is waited for, which of the two is ahead is chance.
  if (!/\bcalls=0\b/.test(query)) row.cells[3].textContent = (times[0] / times[1]).toFixed(2);
  document.getElementById('said').textContent = `One after another took ${time(times[0])}, all at once ${time(times[1])}.`;
};

// fail says in place of a step's sentence why there is no answer.
const fail = (panel, message) => {
  const sentence = panel.querySelector('p');
  sentence.hidden = true;
  const failure = document.createElement('p');
  failure.className = 'bad';
  failure.textContent = message;
  sentence.after(failure);
};

// succeed shows a step's sentence again.
const succeed = (panel) => {
  panel.querySelector('p.bad')?.remove();
  panel.querySelector('p').hidden = false;
};

for (const button of document.querySelectorAll('button[data-query]')) {
  button.addEventListener('click', async () => {
    const panel = button.closest('.run');
    button.disabled = true;
    try {
      await run(panel, button.dataset.query);
      button.textContent = 'Run again';
    } catch (error) {
      const message = `No answer: ${error.message}.`;
      fail(panel, message);
      for (const answer of panel.querySelectorAll('.answer')) answer.textContent = '';
      for (const cell of [...document.querySelector(`#times [data-query="${button.dataset.query}"]`).cells].slice(1)) cell.textContent = '–';
      document.getElementById('said').textContent = message;
    } finally {
      button.disabled = false;
    }
  });
}
