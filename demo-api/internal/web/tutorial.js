'use strict';
// The buttons of the tutorial time both endpoints, one after the other, and draw the calls.
const formatTime = (ms) => (ms < 100 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(3)} s`);

const lanes = [
  { name: 'sequential', title: 'One after another', path: '/get_data' },
  { name: 'concurrent', title: 'All at once', path: '/async_get_data' },
];

// request returns the body of a response, its calls and its time in milliseconds. It calls
// onProgress with the elapsed time in each frame.
const request = async (path, onProgress) => {
  const start = performance.now();
  const elapsed = () => performance.now() - start;
  let frame = 0;
  const next = () => { onProgress(elapsed()); frame = requestAnimationFrame(next); };
  if (!reducedMotion.matches) next();
  try {
    const response = await fetch(path);
    const text = await response.text();
    const time = elapsed();
    if (!response.ok) throw new Error(JSON.parse(text).detail);
    const timing = [...response.headers.get('Server-Timing').matchAll(/(\w+);dur=([\d.]+);start=([\d.]+)/g)];
    const calls = timing.map(([, name, took, from]) => ({ name, from: Number(from), to: Number(from) + Number(took) }));
    return { text, time, calls };
  } finally {
    cancelAnimationFrame(frame);
  }
};

const shorten = (text) => (text.length > 80 ? `${text.slice(0, 60)} … ${text.slice(-16)}` : text);

const timesOf = (query) => document.querySelector(`#times [data-query="${query}"]`);

// clearTimes removes the times of a step from the table and from its panel.
const clearTimes = (panel, query) => {
  for (const cell of [...timesOf(query).cells].slice(1)) cell.textContent = '–';
  for (const output of panel.querySelectorAll('.output')) output.textContent = '';
  drawExpected(panel, query);
};

const run = async (panel, query) => {
  clearTimes(panel, query);
  showSentence(panel);
  const outputs = panel.querySelectorAll('.output');
  const { cells } = timesOf(query);
  const expected = expectedCalls(query);
  const results = [];
  for (const [i, { name, path }] of lanes.entries()) {
    const figure = panel.querySelector(`[data-figure=${name}]`);
    const picture = panel.querySelector(`.waterfall.${name}`);
    figure.classList.add('measured');
    const scale = lastEnd(expected.sequential);
    const result = await request(`${path}?${query}`, (ms) => {
      figure.textContent = formatTime(ms);
      movePointer(picture, ms / scale);
    });
    movePointer(picture, -1);
    figure.textContent = cells[i + 1].textContent = formatTime(result.time);
    outputs[i].textContent = `${shorten(result.text.trimEnd())}\nreal ${formatTime(result.time)}\n`;
    results.push(result);
    drawBoth(panel, [results[0].calls, results[1]?.calls ?? expected.concurrent], results.length);
  }
  // Without calls, the faster one is random.
  const [first, second] = results.map(({ time }) => time);
  if (!/\bcalls=0\b/.test(query)) cells[3].textContent = (first / second).toFixed(2);
  byId('status').textContent = `One after another took ${formatTime(first)}, all at once ${formatTime(second)}.`;
  markDone(panel.closest('section'));
};

// showError shows a message in place of the sentence of a step.
const showError = (panel, message) => {
  const sentence = panel.querySelector('p');
  sentence.hidden = true;
  const error = document.createElement('p');
  error.className = 'bad';
  error.textContent = message;
  sentence.after(error);
};

// showSentence shows the sentence of a step again.
const showSentence = (panel) => {
  panel.querySelector('p.bad')?.remove();
  panel.querySelector('p').hidden = false;
};

for (const button of document.querySelectorAll('button[data-query]')) {
  const panel = button.closest('.run');
  const { query } = button.dataset;
  button.addEventListener('click', async () => {
    button.disabled = true;
    try {
      await run(panel, query);
      button.textContent = 'Run again';
    } catch (error) {
      const message = `No response: ${error.message}.`;
      showError(panel, message);
      clearTimes(panel, query);
      byId('status').textContent = message;
    } finally {
      button.disabled = false;
    }
  });
}
