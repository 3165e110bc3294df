'use strict';
// The builder: fields for the parts of a request. The URL's fragment has the request, so
// that a link to the page repeats it: [METHOD]/path?query[;Header:value]…

const endpoints = [...byId('endpoint').options];
const chips = [...document.querySelectorAll('#chips .chip[data-name]')];
const endpoint = () => byId('endpoint').selectedOptions[0];
const accepts = (name) => endpoint().dataset.accepts.split(' ').includes(name);

// Fields.

const fieldsIn = (id) => [...byId(id).querySelectorAll('.field')];
const control = (field) => field.querySelector('input, select');
const queryFields = () => fieldsIn('fields').filter((field) => field.dataset.name);
const fieldOf = (name) => queryFields().find((field) => field.dataset.name === name);
const has = (name) => fieldOf(name) !== undefined;

let lastID = 0;

// prepare connects a new field's label and texts, and sets its value.
const prepare = (field, name, value) => {
  const input = control(field);
  const id = `field-${++lastID}`;
  field.dataset.name = name;
  if (input.tagName === 'SELECT' && ![...input.options].some((option) => option.value === value)) {
    input.append(new Option(value));
  }
  input.value = value;
  input.id = id;
  field.querySelector('label').htmlFor = id;
  connect(field, input, id);
  return field;
};

const connect = (field, input, id) => {
  field.querySelector('.help').id = `${id}-help`;
  field.querySelector('.error').id = `${id}-error`;
  input.setAttribute('aria-describedby', `${id}-error ${id}-help`);
};

const clone = (template) => template.content.firstElementChild.cloneNode(true);

// chipOf returns the chip of a parameter of the endpoint, or undefined.
const chipOf = (name) => chips.find(({ dataset }) => dataset.name === name && dataset.in === 'query' &&
  (dataset.endpoint === endpoint().value || dataset.endpoint === ''));

// addField adds a field for a query parameter. One that the table does not have gets a
// plain field: the server says what is wrong with it.
const addField = (name, value) => {
  const chip = chipOf(name) ?? chips.find(({ dataset }) => dataset.name === name);
  const template = chip?.nextElementSibling ?? chips[0].nextElementSibling;
  const field = clone(template);
  if (!chip) {
    field.querySelector('label').textContent = name;
    field.querySelector('.remove').setAttribute('aria-label', `Remove ${name}`);
    field.querySelector('.help').textContent = 'No parameter of this endpoint.';
  }
  byId('fields').append(prepare(field, name, value ?? chip?.dataset.example ?? ''));
  return field;
};

// addWithNeeds adds a parameter and the parameters without which it has no effect.
const addWithNeeds = (chip) => {
  const field = addField(chip.dataset.name);
  for (let needs = chip.dataset.requires; needs && !has(needs);) {
    const needed = chipOf(needs);
    addField(needs);
    needs = needed.dataset.requires;
  }
  for (const { dataset } of chips) { // workers after pool: each requires the other
    if (dataset.requires === chip.dataset.name && chip.dataset.requires === dataset.name && !has(dataset.name)) {
      addField(dataset.name);
    }
  }
  return field;
};

const addHeaderField = (name, value) => {
  const field = clone(byId('header-field'));
  const inputs = field.querySelectorAll('input');
  if (name !== undefined) [inputs[0].value, inputs[1].value] = [name, value];
  connect(field, inputs[1], `field-${++lastID}`);
  byId('fields').append(field);
  return field;
};

// The request.

const encode = (text) => encodeURIComponent(text).replaceAll("'", '%27');
const readable = (text) => encode(text).replace(/%(3A|2C|40|2F)/g, decodeURIComponent);

// encodePath encodes a part of a path. The server accepts a URL in it plain, or encoded as
// a whole.
const encodePath = (text, wildcard) => {
  const plain = wildcard ? /^[\w.~:,@/-]*$/ : /^[\w.~:,@-]*$/;
  return plain.test(text) ? text : encode(text);
};

// valueOf returns what a request has of a field's text.
const valueOf = (field) => control(field).value.trim();

const pathValues = () => Object.fromEntries(fieldsIn('path').map((field) => [field.dataset.name, valueOf(field)]));

const readPath = () => {
  const values = pathValues();
  const path = endpoint().value.replace(/\{(\w+)(\.\.\.)?\}/g,
    (_, name, wildcard) => encodePath(values[name], wildcard));
  const query = queryFields().map((field) => `${readable(field.dataset.name)}=${readable(valueOf(field))}`);
  return path + (query.length ? `?${query.join('&')}` : '');
};

const readHeaders = () => fieldsIn('fields').filter((field) => !field.dataset.name)
  .map((field) => [...field.querySelectorAll('input')].map((input) => input.value.trim()));

const readRequest = () => ({
  method: byId('method').value, path: readPath(), headers: readHeaders(),
  manualRedirect: 'redirects' in endpoint().dataset,
});

// Errors.

const showError = (field, text) => {
  const error = field ? field.querySelector('.error') : byId('problem');
  error.textContent = text;
  error.hidden = text === '';
  if (field) control(field).setAttribute('aria-invalid', text !== '');
};

const clearErrors = () => {
  showError(null, '');
  for (const field of [...fieldsIn('path'), ...fieldsIn('fields')]) showError(field, '');
};

// showProblem shows the server's detail at the field that it names first, or at the form.
const showProblem = ({ detail }) => {
  const at = (field) => detail.search(new RegExp(`(?<![\\w-])${field.dataset.name}(?![\\w-])`));
  const named = [...fieldsIn('path'), ...queryFields()].filter((field) => at(field) >= 0);
  named.sort((a, b) => at(a) - at(b));
  showError(named[0] ?? null, detail);
  if (named[0]) control(named[0]).focus();
};

// headerError returns why a browser cannot send a request header, or ''.
const headerError = ([name, value]) => {
  if (/[^\t\x20-\x7e]/.test(value)) return 'The value has characters outside ASCII, which many clients cannot send.';
  try {
    const sent = new Request('/', { headers: [[name, value]] }).headers;
    return sent.has(name) ? '' : `A browser does not let a page send ${name}. The code does.`;
  } catch {
    return 'This is not the name of a header.';
  }
};

const checkHeaders = () => {
  let valid = true;
  for (const field of fieldsIn('fields').filter((each) => !each.dataset.name)) {
    const text = headerError([...field.querySelectorAll('input')].map((input) => input.value.trim()));
    showError(field, text);
    valid &&= text === '';
  }
  return valid;
};

// The drawing of the delay.

let expected = 0; // the delay in milliseconds if it is fixed, or 0
let drawing; // the timer, then the AbortController, of the last drawing

const delayField = () => [...fieldsIn('path'), ...queryFields()].find((field) => field.dataset.name === 'delay');

const hideDrawing = () => {
  expected = 0;
  byId('distribution').querySelector('img').hidden = true;
};

const draw = async () => {
  const field = delayField();
  if (!field) {
    hideDrawing();
    return;
  }
  const abort = new AbortController();
  drawing = { stop: () => abort.abort() };
  const path = `/distribution.svg?delay=${readable(valueOf(field))}&unit=${endpoint().dataset.unit}`;
  try {
    const response = await fetch(path, { signal: abort.signal });
    if (!response.ok) {
      hideDrawing();
      showError(field, await problemOf(response));
      return;
    }
    const svg = await response.text(); // not parsed: the page's policy forbids its style
    const picture = byId('distribution').querySelector('img');
    showError(field, '');
    expected = Number(/ data-fixed="([^"]*)"/.exec(svg)?.[1] ?? 0);
    [, picture.alt] = /<title>([^<]*)</.exec(svg);
    picture.src = path;
    picture.hidden = false;
  } catch { // a newer drawing, or no server
    if (!abort.signal.aborted) hideDrawing();
  }
};

const drawSoon = () => {
  drawing?.stop();
  const timer = setTimeout(draw, 150);
  drawing = { stop: () => clearTimeout(timer) };
};

// What depends on the fields.

let language = localStorage.getItem('language') in snippets ? localStorage.getItem('language') : 'curl';
let fragment = ''; // the last one that this page wrote

const showSnippet = () => {
  const { method, path, headers } = readRequest();
  showCode(byId('code'), snippets[language]({ method, headers, url: location.origin + path }));
  byId('how').textContent = howToRun[language];
};

const conflicts = (chip) => {
  const named = (dataset) => (dataset.excludes ?? '').split(' ').filter(Boolean);
  return queryFields().map((field) => field.dataset.name).find((name) =>
    named(chip.dataset).includes(name) || named(chipOf(name)?.dataset ?? {}).includes(chip.dataset.name));
};

const showChips = () => {
  for (const chip of chips) {
    const { name } = chip.dataset;
    chip.hidden = chipOf(name) !== chip || !accepts(name) || has(name) && !('repeated' in chip.dataset);
    const other = conflicts(chip);
    chip.classList.toggle('conflicts', other !== undefined);
    chip.title = other ? `conflicts with ${other}` :
      chip.nextElementSibling.content.querySelector('.help').textContent;
  }
  byId('add-header').hidden = false;
};

const changed = () => {
  const { method, path, headers } = readRequest();
  fragment = `#${method === 'GET' ? '' : method}${path}` +
    headers.map(([name, value]) => `;${encode(name)}:${encode(value)}`).join('');
  try {
    history.replaceState(null, '', fragment);
  } catch { // Safari allows 100 changes in 30 s; the next one has all
  }
  const whole = byId('path').querySelector('output');
  if (whole) whole.textContent = path;
  showChips();
  showSnippet();
  drawSoon();
};

// setEndpoint shows the fields of an endpoint's path with the values, and removes the
// query parameters that it does not accept.
const setEndpoint = (pattern, values) => {
  byId('endpoint').value = pattern;
  const about = document.querySelector(`[data-about="${CSS.escape(pattern)}"]`);
  byId('about').replaceChildren(about.content.cloneNode(true));
  byId('path').replaceChildren(...chips
    .filter(({ dataset }) => dataset.endpoint === pattern && dataset.in === 'path')
    .map((chip) => prepare(clone(chip.nextElementSibling), chip.dataset.name,
      values[chip.dataset.name] ?? chip.dataset.example)));
  if (!byId('path').firstChild) byId('path').append(document.createElement('output'));
};

const decode = (text) => {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
};

// match returns the values of the pattern's parameters in a path, or undefined.
const match = (pattern, path) => {
  const names = [];
  const source = pattern.replace(/[.*+?^$()|[\]\\/]|\{(\w+)(\.\.\.)?\}/g, (text, name, wildcard) => {
    if (!name) return `\\${text}`;
    names.push(name);
    return wildcard ? '(.+)' : '([^/]*)';
  });
  const found = new RegExp(`^${source}/?$`).exec(path);
  return found && Object.fromEntries(names.map((name, i) => [name, decode(found[i + 1])]));
};

// restore fills the form with the request of a fragment. It reports whether it is one.
const restore = (text) => {
  const [, method, path, query, fields] = /^#?([A-Z]*)(\/[^?;]*)\??([^;]*)(.*)$/.exec(text) ?? [];
  const found = endpoints.map(({ value }) => [value, path && match(value, path)]).filter(([, values]) => values);
  found.sort(([a], [b]) => b.length - a.length); // the longest pattern has the most fixed parts
  if (!found.length) return false;
  const verb = method || 'GET';
  if (![...byId('method').options].some((option) => option.value === verb)) byId('method').append(new Option(verb));
  byId('method').value = verb;
  byId('fields').replaceChildren();
  setEndpoint(...found[0]);
  for (const [name, value] of new URLSearchParams(query)) addField(name, value);
  for (const field of fields.split(';').slice(1)) {
    const [name, ...value] = field.split(':');
    addHeaderField(decode(name), decode(value.join(':')));
  }
  changed();
  return true;
};

// Events.

let running; // the AbortController of the request

byId('form').addEventListener('submit', async (event) => {
  event.preventDefault();
  if (running) {
    running.abort();
    return;
  }
  clearErrors();
  if (!checkHeaders()) {
    clearAnswer();
    say('status', 'Not sent');
    return;
  }
  running = new AbortController();
  byId('send').textContent = 'Stop';
  byId('send').classList.add('stop');
  const request = readRequest();
  const run = queryFields().find((field) => field.dataset.name === 'run');
  if (byId('watch')) {
    byId('watch').hidden = !run;
    if (run) byId('watch').querySelector('a').href = `/live?run=${encode(valueOf(run))}`;
  }
  const problem = await receive(request, expected, running.signal);
  running = undefined;
  byId('send').textContent = 'Send';
  byId('send').classList.remove('stop');
  if (problem) showProblem(problem);
});

for (const id of ['form', 'fields']) byId(id).addEventListener('input', changed);

byId('endpoint').addEventListener('change', () => {
  const { value, dataset } = endpoint();
  const [path, query] = dataset.example.split('?');
  const kept = queryFields().filter((field) => chipOf(field.dataset.name)?.dataset.endpoint === '' &&
    accepts(field.dataset.name));
  const others = fieldsIn('fields').filter((field) => !field.dataset.name);
  setEndpoint(value, { ...match(value, path), ...pathValues() });
  byId('fields').replaceChildren();
  for (const [name, text] of new URLSearchParams(query)) addField(name, text);
  byId('fields').append(...kept.filter((field) => !has(field.dataset.name)), ...others);
  changed();
});

byId('chips').addEventListener('click', (event) => {
  const chip = event.target.closest('.chip');
  if (!chip) return;
  const field = chip.id === 'add-header' ? addHeaderField() : addWithNeeds(chip);
  changed();
  control(field).focus();
  control(field).select?.();
});

byId('fields').addEventListener('click', (event) => {
  if (!event.target.closest('.remove')) return;
  const field = event.target.closest('.field');
  const next = field.nextElementSibling ?? field.previousElementSibling;
  field.remove();
  changed();
  (next ? next.querySelector('.remove') : byId('send')).focus();
});

document.querySelector('.forms').addEventListener('click', (event) => {
  const { fill } = event.target.dataset;
  if (!fill) return;
  const field = delayField() ?? addField('delay');
  control(field).value = fill;
  changed();
});

const tabs = [...document.querySelectorAll('[role=tab]')];

const selectTab = (tab) => {
  language = tab.id.replace('tab-', '');
  localStorage.setItem('language', language);
  for (const each of tabs) {
    each.setAttribute('aria-selected', each === tab);
    each.tabIndex = each === tab ? 0 : -1;
  }
  byId('panel').setAttribute('aria-labelledby', tab.id);
  showSnippet();
};

for (const tab of tabs) {
  tab.addEventListener('click', () => selectTab(tab));
  tab.addEventListener('keydown', (event) => {
    const i = tabs.indexOf(tab);
    const next = { ArrowRight: i + 1, ArrowLeft: i - 1, Home: 0, End: tabs.length - 1 }[event.key];
    if (next === undefined) return;
    event.preventDefault();
    const other = tabs[(next + tabs.length) % tabs.length];
    other.focus();
    selectTab(other);
  });
}

addEventListener('hashchange', () => {
  if (location.hash !== fragment) restore(location.hash);
});

if (!restore(location.hash)) restore('/delay/1000');
selectTab(byId(`tab-${language}`));
