'use strict';
// The answer to a request, as it comes.

const maxShown = 65536; // characters of the body
const maxParts = 200; // of the body, each with the time of its arrival
const maxMarks = 2000; // parts in the drawing

const number = (n, digits) => n.toLocaleString('en', { minimumFractionDigits: digits, maximumFractionDigits: digits });
const milliseconds = (n) => `${number(n, n < 10 ? 2 : 1)} ms`;
const count = (n, what) => `${number(n, 0)} ${what}${n === 1 ? '' : 's'}`;

// timing parses "asked;dur=1000, waited;dur=1000.21" into {asked: 1000, waited: 1000.21}.
const timing = (header) => Object.fromEntries(
  [...(header ?? '').matchAll(/(\w+);dur=([\d.]+)/g)].map(([, name, dur]) => [name, Number(dur)]));

// Track draws the wait for the header, then a mark for each part of the body.
class Track {
  constructor(expected) { // ms until the end, or 0 if unknown
    this.expected = expected;
    this.start = performance.now();
    this.marks = [];
    this.grow();
  }

  get elapsed() { return performance.now() - this.start; }

  // The scale ends at the expected end, then at 1, 2 or 5 times a power of ten.
  get scale() {
    if (this.ended !== undefined) return this.ended || 1;
    const needed = Math.max(this.elapsed, 100);
    if (needed <= this.expected) return this.expected;
    const power = 10 ** Math.floor(Math.log10(needed));
    return power * [1, 2, 5, 10].find((factor) => factor * power >= needed);
  }

  grow() {
    if (this.ended !== undefined) return;
    this.draw();
    if (reducedMotion.matches) setTimeout(() => this.grow(), 500);
    else requestAnimationFrame(() => this.grow());
  }

  draw() {
    const { scale } = this;
    const now = this.ended ?? this.elapsed;
    const at = (ms) => Math.min(1000 * ms / scale, 1000);
    byId('track-wait').setAttribute('width', at(this.header ?? now));
    byId('track-body').setAttribute('x', at(this.header ?? now));
    byId('track-body').setAttribute('width', this.header === undefined ? 0 : at(now) - at(this.header));
    byId('track-chunks').setAttribute('d', this.marks.map((ms) => `M${at(ms).toFixed(1)} 0V24`).join(''));
  }

  mark() { if (this.marks.length < maxMarks) this.marks.push(this.elapsed); }

  end() {
    this.ended = this.elapsed;
    this.draw();
  }
}

const isText = (type) => /^text\/|[/+](json|xml|javascript|yaml)\b/.test(type);
const isPrintable = (part) => part.every((byte) => byte >= 32 && byte < 127 || [9, 10, 13].includes(byte));

// hex returns the first bytes of a part in hexadecimal.
const hex = (part) => {
  const first = [...part.subarray(0, 16)].map((byte) => byte.toString(16).padStart(2, '0')).join(' ');
  return part.length > 16 ? `${first} … ${count(part.length, 'byte')}` : first;
};

// Body shows the parts of a body, each with the time of its arrival.
class Body {
  constructor(type) {
    this.isText = isText(type);
    this.decoder = new TextDecoder();
    this.bytes = this.parts = this.shown = 0;
    this.list = byId('chunks');
  }

  add(part, ms) {
    this.bytes += part.length;
    this.parts++;
    this.list.hidden = false;
    const room = maxShown - this.shown;
    if (this.parts > maxParts || room <= 0) {
      this.cut = true;
      return;
    }
    let text = this.isText || isPrintable(part) ? this.decoder.decode(part, { stream: true }) : hex(part);
    if (text.length > room) {
      text = text.slice(0, room);
      this.cut = true;
    }
    this.shown += text.length;
    const row = document.createElement('li');
    const time = document.createElement('time');
    const data = document.createElement('span');
    time.textContent = milliseconds(ms);
    data.textContent = text.replace(/\n+$/, ''); // the next part begins a line anyway
    row.append(time, data);
    const atEnd = this.list.scrollHeight - this.list.scrollTop - this.list.clientHeight < 4;
    this.list.append(row);
    if (atEnd) this.list.scrollTop = this.list.scrollHeight;
  }

  get limits() {
    return this.cut ? ` The page shows the first ${count(maxParts, 'part')}, up to ${maxShown / 1024} KB.` : '';
  }
}

const say = (id, text) => {
  byId(id).textContent = text;
  byId(id).hidden = text === '';
};

const clearAnswer = () => {
  byId('chunks').replaceChildren();
  for (const id of ['chunks', 'head', 'note']) byId(id).hidden = true;
  for (const id of ['asked', 'waited', 'late', 'seen']) byId(id).textContent = '–';
  byId('timing').textContent = '';
  byId('answer').classList.remove('failed', 'idle');
};

const showHeader = (response, ms) => {
  const { asked, waited } = timing(response.headers.get('Server-Timing'));
  say('status', `${response.status} ${response.statusText}`.trim());
  byId('headers').textContent = [...response.headers].map(([name, value]) => `${name}: ${value}`).join('\n');
  byId('head').hidden = false;
  byId('answer').classList.toggle('failed', response.status >= 400);
  byId('seen').textContent = milliseconds(ms);
  if (waited !== undefined) byId('waited').textContent = milliseconds(waited);
  if (asked !== undefined) byId('asked').textContent = `${number(asked, asked % 1 ? 1 : 0)} ms`;
  if (asked !== undefined && waited !== undefined) byId('late').textContent = milliseconds(waited - asked);
};

// receive sends a request and shows its answer until it ends or signal is aborted.
// expected is the delay in milliseconds, or 0 if it is random. It returns the problem
// document if the server rejected the request.
const receive = async ({ method, path, headers, manualRedirect }, expected, signal) => {
  byId('answer').style.minHeight = `${byId('answer').offsetHeight}px`; // what is below stays while it waits
  clearAnswer();
  say('status', 'Waiting …');
  const track = new Track(expected);
  let body;
  let text = '';
  try {
    const redirect = manualRedirect ? 'manual' : 'follow';
    const response = await fetch(path, { method, headers, signal, redirect, cache: 'no-store' });
    track.header = track.elapsed;
    if (response.type === 'opaqueredirect') {
      say('status', 'A redirect');
      byId('seen').textContent = milliseconds(track.header);
      say('note', 'A browser does not show a redirect to a page. The curl line shows where it leads.');
      return undefined;
    }
    showHeader(response, track.header);
    const type = response.headers.get('Content-Type') ?? '';
    const isProblem = response.status === 400 && type.startsWith('application/problem+json');
    body = new Body(type);
    if (response.body) {
      for (const reader = response.body.getReader(), decoder = new TextDecoder(); ;) {
        const { value, done } = await reader.read();
        if (done) break;
        track.mark();
        body.add(value, track.elapsed);
        if (isProblem) text += decoder.decode(value, { stream: true });
      }
    }
    say('note', [response.redirected ? `Redirected to ${response.url}.` : '', body.limits].join(' ').trim());
    return isProblem ? JSON.parse(text) : undefined;
  } catch (error) {
    byId('answer').classList.add('failed');
    const after = milliseconds(track.elapsed);
    if (signal.aborted) {
      if (!body) say('status', 'Stopped');
      say('note', `Stopped after ${after}.`);
    } else if (body) {
      say('note', `The body broke off after ${count(body.bytes, 'byte')}: the connection ended before the body did.` +
        body.limits);
    } else {
      say('status', 'No answer');
      say('note', `The connection ended after ${after}, without an answer. A browser does not tell a page why ` +
        `(“${error.message}”); the curl line does.`);
    }
    return undefined;
  } finally {
    byId('answer').style.minHeight = '';
    track.end();
    showTiming(track, body);
  }
};

const showTiming = (track, body) => {
  const parts = body ? `${count(body.bytes, 'byte')} in ${count(body.parts, 'part')}` : 'no body';
  const text = track.header === undefined ? '' :
    `Header after ${milliseconds(track.header)}, ${parts}, end after ${milliseconds(track.ended)}.`;
  byId('timing').textContent = text;
  byId('track').setAttribute('aria-label', text || 'No answer');
};
