'use strict';
// Shared by the scripts of the pages.

// byId returns the element with an ID.
const byId = (id) => document.getElementById(id);

// element returns an element with a class and children. A string is a text, never markup.
const element = (tag, className, ...children) => {
  const made = document.createElement(tag);
  if (className) made.className = className;
  made.append(...children);
  return made;
};

// setText sets the text of an element if it differs: selections and focus stay.
const setText = (target, text) => { if (target.textContent !== text) target.textContent = text; };

// reducedMotion matches if the user prefers less motion.
const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');

// A link to a program on the same machine leads to the host by which this page was reached.
for (const link of document.querySelectorAll('a[data-local]')) link.hostname = location.hostname;

const sleep = (ms) => new Promise((wake) => setTimeout(wake, ms));

// The token of the admin API stays in this tab.
const token = {
  get value() { return sessionStorage.getItem('token') ?? ''; },
  set value(text) { sessionStorage.setItem('token', text); },
  get headers() { return this.value ? { Authorization: `Bearer ${this.value}` } : {}; },
};

// askForToken shows the form of template "token". It resolves to true when a token is
// given, or to false if the form can be cancelled and is.
const askForToken = (cancellable) => new Promise((resolve) => {
  const form = byId('token');
  const focused = document.activeElement;
  byId('token-status').textContent = token.value ? 'This token is wrong.' : 'The server logs its token when it starts.';
  byId('token-cancel').hidden = !cancellable;
  if (form.hidden) {
    form.hidden = false;
    byId('token-value').focus();
  }
  const end = new AbortController();
  const close = (given) => {
    end.abort();
    byId('token-value').value = '';
    form.hidden = true;
    focused?.focus();
    resolve(given);
  };
  form.addEventListener('submit', (event) => {
    event.preventDefault();
    const text = byId('token-value').value.trim();
    if (/[^!-~]/.test(text)) { // no header field can have it
      byId('token-status').textContent = 'This token is wrong.';
      return;
    }
    token.value = text || token.value;
    close(true);
  }, { signal: end.signal });
  form.addEventListener('reset', () => close(false), { signal: end.signal });
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
    if (!await askForToken(true)) throw new Error('This needs the token of the admin API.');
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

// untilVisible resolves when the page is visible.
const untilVisible = () => new Promise((resolve) => {
  const check = () => {
    if (document.hidden) return;
    document.removeEventListener('visibilitychange', check);
    resolve();
  };
  document.addEventListener('visibilitychange', check);
  check();
});

// watchState calls show with each state of a feed, until signal is aborted. It connects
// again after a failure, and after the computer was asleep. A hidden page disconnects:
// browsers open at most six connections to a server. status is called with '' when the
// feed is connected, or with the reason why it is not.
const watchState = async (path, show, status, signal) => {
  for (let pause = 250; !signal?.aborted; pause = Math.min(2 * pause, 5000)) {
    await untilVisible();
    const end = new AbortController(); // of this connection
    let heard = Date.now();
    const timer = setInterval(() => { // Date goes on while the computer is asleep
      if (Date.now() - heard > maxSilence) end.abort(new Error('the server is silent'));
    }, 1000);
    const stop = () => end.abort();
    const hide = () => { if (document.hidden) stop(); };
    document.addEventListener('visibilitychange', hide);
    signal?.addEventListener('abort', stop);
    try {
      const response = await fetch(path, { headers: token.headers, signal: end.signal });
      heard = Date.now();
      if (response.status === 401) {
        status('The admin API needs its token.');
        clearInterval(timer);
        await askForToken(false);
        pause = 125;
        continue;
      }
      if (!response.ok) throw new Error(await problemOf(response));
      status('');
      for await (const [, state] of readEvents(response, () => { heard = Date.now(); })) {
        pause = 250;
        show(state);
      }
      throw new Error('the server ended the connection');
    } catch (error) {
      if (signal?.aborted || document.hidden) continue;
      const { message } = end.signal.reason ?? error;
      status(`Not connected: ${error instanceof TypeError ? 'no answer from the server' : message}. Trying again.`);
    } finally {
      clearInterval(timer);
      document.removeEventListener('visibilitychange', hide);
      signal?.removeEventListener('abort', stop);
    }
    await sleep(pause);
  }
};

// Copy buttons: <button class="copy" data-copy="ID">Copy</button> copies the text of the element.
const copyKeys = /^(Mac|iP)/.test(navigator.platform) ? '⌘C' : 'Ctrl+C';

document.addEventListener('click', async (event) => {
  const button = event.target.closest('button[data-copy]');
  if (!button) return;
  const source = byId(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(source.textContent);
    button.textContent = 'Copied';
  } catch { // no clipboard without TLS beyond localhost: copy the selection instead
    getSelection().selectAllChildren(source);
    button.textContent = document.execCommand('copy') ? 'Copied' : `Press ${copyKeys}`;
  }
  setTimeout(() => { button.textContent = 'Copy'; }, 1500);
});
