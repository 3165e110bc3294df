'use strict';
// The buttons of the tutorial time both endpoints, one after the other.
const formatTime = (ms) => (ms < 100 ? `${ms.toFixed(1)} ms` : `${(ms / 1000).toFixed(3)} s`);

// request returns the body of a response and its time in milliseconds. It calls
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
    return { text, time };
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
};

const run = async (panel, query) => {
  clearTimes(panel, query);
  showSentence(panel);
  const outputs = panel.querySelectorAll('.output');
  const { cells } = timesOf(query);
  const lanes = [['sequential', '/get_data'], ['concurrent', '/async_get_data']];
  const times = [];
  for (const [i, [name, path]] of lanes.entries()) {
    const figure = panel.querySelector(`[data-figure=${name}]`);
    figure.classList.add('measured');
    const { text, time } = await request(`${path}?${query}`, (ms) => { figure.textContent = formatTime(ms); });
    figure.textContent = cells[i + 1].textContent = formatTime(time);
    outputs[i].textContent = `${shorten(text)}\nreal ${formatTime(time)}\n`;
    times.push(time);
  }
  // Without calls, the faster one is random.
  if (!/\bcalls=0\b/.test(query)) cells[3].textContent = (times[0] / times[1]).toFixed(2);
  byId('status').textContent = `One after another took ${formatTime(times[0])}, all at once ${formatTime(times[1])}.`;
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
  button.addEventListener('click', async () => {
    const panel = button.closest('.run');
    const { query } = button.dataset;
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
