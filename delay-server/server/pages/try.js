'use strict';
// The form of the landing page: one request, its figures, its answer.
const at = (id) => document.getElementById(id);
const ms = (n) => `${n.toFixed(n < 10 ? 2 : 1)} ms`;

// timing parses "asked;dur=1000, waited;dur=1000.21" into {asked: 1000, waited: 1000.21}.
const timing = (header) => Object.fromEntries(
  [...(header ?? '').matchAll(/(\w+);dur=([\d.]+)/g)].map(([, name, dur]) => [name, Number(dur)]));

// milliseconds parses a fixed delay, for the progress bar. It returns NaN for any other form.
const milliseconds = (text) => {
  const [, number, unit] = /^(\d+(?:\.\d+)?)(ms|s|m)?$/.exec(text) ?? [];
  return number * { ms: 1, s: 1000, m: 60000 }[unit ?? 'ms'];
};

const show = (asked, waited, seen) => {
  at('asked').textContent = asked;
  at('waited').textContent = waited;
  at('seen').textContent = seen;
};

at('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  const button = event.target.querySelector('button');
  const text = at('delay').value.trim();
  const expected = milliseconds(text);
  const start = performance.now();
  let frame = 0;
  const grow = () => {
    at('bar').value = Math.min((performance.now() - start) / expected, 1) || 0;
    frame = requestAnimationFrame(grow);
  };
  button.disabled = true;
  at('result').textContent = 'Waiting …';
  show('–', '–', '–');
  at('late').textContent = '–';
  if (expected > 0) grow(); else at('bar').removeAttribute('value');
  try {
    const reply = await fetch(`/delay/${encodeURIComponent(text)}`);
    const body = await reply.text();
    const seen = performance.now() - start;
    const { asked, waited } = timing(reply.headers.get('Server-Timing'));
    at('result').textContent = `${reply.status} ${reply.statusText}\n${body}`;
    if (waited !== undefined) {
      show(`${asked} ms`, ms(waited), ms(seen));
      at('late').textContent = ms(waited - asked);
    }
    at('bar').value = reply.ok ? 1 : 0;
  } catch (error) {
    at('result').textContent = `No answer: ${error.message}. Is the server still running?`;
    at('bar').value = 0;
  } finally {
    cancelAnimationFrame(frame);
    button.disabled = false;
  }
});
