'use strict';
// Shared by the scripts of the pages.

// byId returns the element with an ID.
const byId = (id) => document.getElementById(id);

// reducedMotion matches if the user prefers less motion.
const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');

const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));

// The token of the admin API stays in this tab.
const token = {
  get value() { return sessionStorage.getItem('token') ?? ''; },
  set value(text) { sessionStorage.setItem('token', text); },
  get headers() { return this.value ? { Authorization: `Bearer ${this.value}` } : {}; },
};

// askForToken shows the form of template "token", and resolves when it is submitted.
const askForToken = () => new Promise((given) => {
  const form = byId('token');
  byId('token-status').textContent = token.value ? 'This token is wrong.' : 'The server logs its token when it starts.';
  const wasHidden = form.hidden;
  form.hidden = false;
  if (wasHidden) byId('token-value').focus();
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    token.value = byId('token-value').value.trim();
    byId('token-value').value = '';
    form.hidden = true;
    given();
  }, { once: true });
});

// problemOf returns the detail of a response that is not ok.
const problemOf = async (response) => {
  const text = await response.text();
  try {
    return JSON.parse(text).detail ?? text;
  } catch {
    return text || `${response.status} ${response.statusText}`;
  }
};

// callAdmin sends a request to the admin API, and asks for a token if it needs one. It
// returns the response, which is ok, or throws an error that says why it is not.
const callAdmin = async (method, path, body) => {
  for (;;) {
    const headers = { ...token.headers };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    const response = await fetch(path, { method, headers, body: body && JSON.stringify(body) });
    if (response.ok) return response;
    const problem = await problemOf(response);
    if (response.status !== 401) throw new Error(problem);
    await askForToken();
  }
};

// readEvents yields [name, data] for each event of an event stream as it arrives.
// alive is called whenever something arrives.
async function* readEvents(response, alive = () => {}) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    alive();
    const blocks = (text + value).split('\n\n');
    text = blocks.pop();
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block);
      if (name) yield [name[1], JSON.parse(/^data: (.*)$/m.exec(block)[1])];
    }
  }
}

const maxSilence = 12000; // ms; the server sends something every 5 s

// watchState calls show with each state of a feed, as long as the page is open. It
// connects again after a failure, and after the computer was asleep. status is called
// with '' when the feed is connected, or with the reason why it is not.
const watchState = async (path, show, status) => {
  for (let pause = 250; ; pause = Math.min(2 * pause, 5000)) {
    const abort = new AbortController();
    let silence;
    const alive = () => {
      clearTimeout(silence);
      silence = setTimeout(() => abort.abort(new Error('the server is silent')), maxSilence);
    };
    alive();
    try {
      const response = await fetch(path, { headers: token.headers, signal: abort.signal });
      if (response.status === 401) {
        status('The admin API needs its token.');
        clearTimeout(silence);
        await askForToken();
        continue;
      }
      if (!response.ok) throw new Error(await problemOf(response));
      status('');
      for await (const [, state] of readEvents(response, alive)) {
        pause = 250;
        show(state);
      }
      throw new Error('the server ended the connection');
    } catch (error) {
      status(`Not connected: ${error.message}. Trying again.`);
    } finally {
      clearTimeout(silence);
    }
    await sleep(pause);
  }
};

// Copy buttons: <button class="copy" data-copy="ID"> copies the text of the element.
document.addEventListener('click', async (event) => {
  const button = event.target.closest('button[data-copy]');
  if (!button) return;
  const label = button.textContent;
  try {
    await navigator.clipboard.writeText(byId(button.dataset.copy).textContent);
    button.textContent = 'Copied';
  } catch { // no clipboard without TLS beyond localhost: select the text instead
    getSelection().selectAllChildren(byId(button.dataset.copy));
    button.textContent = 'Press Ctrl+C';
  }
  setTimeout(() => { button.textContent = label; }, 1500);
});
