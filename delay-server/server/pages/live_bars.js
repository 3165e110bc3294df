'use strict';

// personOf returns the part of a run before its first dot: the runs of one person have
// one colour.
const personOf = (run) => run.split('.', 1)[0];

const darkScheme = matchMedia('(prefers-color-scheme: dark)');

// shadesOf returns the colour of a run's person in the light and the dark scheme. It
// depends on the name alone, so that it is the same on each screen.
const shadesOf = (run) => {
  let hash = 0x811c9dc5; // FNV-1a
  for (const char of personOf(run)) hash = Math.imul(hash ^ char.codePointAt(0), 0x01000193) >>> 0;
  hash = Math.imul(hash ^ hash >>> 15, 0x2c1b3c6d) >>> 0;
  const hue = (hash >>> 8) % 24 * 15, deep = hash % 2 === 1;
  return [deep ? 0.48 : 0.6, deep ? 0.7 : 0.82].map((lightness) => `oklch(${lightness} 0.13 ${hue})`);
};

// colorOf returns the colour of a run, or plain without a run.
const colorOf = (run, plain) => (run ? shadesOf(run)[darkScheme.matches ? 1 : 0] : plain);

const fadeTime = 450; // ms that a bar stays after its request has ended
const minLabelled = 18; // height of a row in pixels

// stateOf returns what a request waits for.
const stateOf = ({ state, path }) => (state === 'held' && path.startsWith('/barrier/') ? 'at barrier' : state);

// Bars draws each request in flight in a row. Bars move to the right, all at one speed;
// the right end of a bar reaches the line when its request is due.
class Bars {
  rows = new Map(); // request ID: { request, row, y, ended }
  lanes = 0; // one above the last row in use
  span = 1000; // ms from the left edge to the line, on the clock
  nextSpan = 1000;
  shrinkAt = Infinity; // when span may become shorter
  rowHeight = 0;
  labelled = true; // there is room for texts
  texts = new Map(); // cut texts by font, width and text
  hatches = new Map(); // patterns by colour

  clear() { Object.assign(this, { rows: new Map(), lanes: 0 }); }

  // update takes the requests of a state, and its time.
  update(requests, now) {
    this.stateTime = now;
    const time = performance.now();
    const current = new Map(requests.map((request) => [request.id, request]));
    for (const [id, bar] of this.rows) {
      if (current.has(id)) continue;
      bar.ended ??= { time, at: now };
      if (reducedMotion.matches) this.rows.delete(id);
    }
    this.removeFaded(time);
    const used = new Set([...this.rows.values()].map((bar) => bar.row));
    let free = 0;
    for (const [id, request] of current) {
      const bar = this.rows.get(id);
      if (bar) {
        Object.assign(bar, { request, ended: undefined });
        continue;
      }
      while (used.has(free)) free++;
      used.add(free);
      this.rows.set(id, { request, row: free, y: free });
    }
    this.closeGaps();
    this.chooseSpan(requests, time);
  }

  removeFaded(time) {
    for (const [id, { ended }] of this.rows) if (ended && time - ended.time > fadeTime) this.rows.delete(id);
  }

  // closeGaps moves bars up when a third of the rows is empty.
  closeGaps() {
    const bars = [...this.rows.values()].sort((a, b) => a.row - b.row);
    this.lanes = bars.length > 0 ? bars.at(-1).row + 1 : 0;
    if (this.lanes <= 8 || this.lanes < 1.5 * bars.length) return;
    bars.forEach((bar, row) => { bar.row = row; });
    this.lanes = bars.length;
  }

  // chooseSpan takes the longest wait, but none above ten times the median: a bar may
  // begin beyond the left edge.
  chooseSpan(requests, time) {
    const waits = requests.filter(({ due }) => due !== undefined).map(({ begun, due }) => due - begun);
    if (waits.length === 0) return;
    waits.sort((a, b) => a - b);
    const limit = 10 * Math.max(waits[(waits.length - 1) >> 1], 1);
    const longest = Math.max(...waits.filter((wait) => wait <= limit), 20);
    const span = roundUp(longest, [1, 1.5, 2, 3, 4, 5, 6, 8, 10]);
    if (span >= this.nextSpan) {
      Object.assign(this, { nextSpan: span, shrinkAt: Infinity });
    } else if (this.shrinkAt === Infinity) {
      this.shrinkAt = time + 2500;
    } else if (time > this.shrinkAt) {
      Object.assign(this, { nextSpan: span, shrinkAt: Infinity });
    }
  }

  // draw reports whether something still moves although the clock may stand still.
  draw(pen, { width, height, family, colors }, now) {
    const time = performance.now();
    this.removeFaded(time);
    const axis = 30, top = 8, inner = height - axis - top;
    const target = Math.min(inner / Math.max(this.lanes, 1), 44);
    const labelled = this.labelled = target >= minLabelled;
    const still = reducedMotion.matches || this.rowHeight === 0;
    const ease = (from, to, close) => (still || Math.abs(to - from) < close ? to : from + (to - from) * 0.18);
    this.rowHeight = ease(this.rowHeight, target, 0.1);
    this.span = ease(this.span, this.nextSpan, this.nextSpan / 500);

    const narrow = width < 560;
    const left = labelled ? Math.min(Math.max(width * 0.24, 104), 300) : 16;
    const line = width - (labelled ? (narrow ? 76 : 92) : 28);
    const view = { pen, left, line, top, family, colors, labelled, narrow, now };
    this.drawAxis(view, height - axis);
    let moving = this.rowHeight !== target || this.span !== this.nextSpan;
    for (const bar of this.rows.values()) {
      bar.y = ease(bar.y, bar.row, 0.01);
      moving ||= bar.y !== bar.row || bar.ended !== undefined;
      this.drawBar(view, bar, time);
    }
    pen.globalAlpha = 1;
    pen.fillStyle = colors.line;
    pen.fillRect(line - 1, top - 4, 2, height - axis - top + 4);
    return moving;
  }

  drawAxis({ pen, left, line, top, family, colors }, bottom) {
    pen.font = `13px ${family}`;
    pen.textBaseline = 'middle';
    pen.textAlign = 'center';
    const scale = (line - left) / this.span;
    const step = timeStep(Math.max(this.span / 6, 90 / scale));
    for (let ahead = step; ahead * scale <= line - left + 1; ahead += step) {
      const x = line - ahead * scale;
      pen.globalAlpha = 1;
      pen.fillStyle = colors.grid;
      pen.fillRect(Math.round(x), top, 1, bottom - top);
      pen.fillStyle = colors.soft;
      const text = `in ${shortTime(ahead)}`;
      pen.fillText(text, Math.max(x, pen.measureText(text).width / 2 + 2), bottom + 16);
    }
    pen.fillStyle = colors.ink;
    pen.font = `600 13px ${family}`;
    pen.fillText('due', line, bottom + 16);
  }

  drawBar(view, { request, y, ended }, time) {
    const { pen, left, line, top, colors, labelled, now } = view;
    const { run, begun, due, state } = request;
    const rowHeight = this.rowHeight;
    const gap = rowHeight > 3 ? Math.min(rowHeight * 0.28, 10) : 0;
    const thickness = Math.max(rowHeight - gap, 1);
    const isThin = rowHeight <= 3; // only bars: no track, no open end
    const from = top + y * rowHeight + gap / 2;
    const round = Math.min(thickness / 2, 6);
    const color = colorOf(run, colors.plain);
    const fade = ended ? Math.max(0, 1 - (time - ended.time) / fadeTime) : 1;
    // A run's own clock has another pace: its bars move with each state only.
    const at = ended ? ended.at : request.clock === 'run' ? this.stateTime : now;
    const box = (x, to) => {
      if (to <= x) return;
      pen.beginPath();
      pen.roundRect(x, from, to - x, thickness, Math.min(round, (to - x) / 2));
      pen.fill();
    };
    let note = state === 'sending' ? 'sending' : '';
    pen.fillStyle = color;
    if (due === undefined) {
      const end = left + (line - left) * 0.72;
      pen.globalAlpha = 0.2 * fade;
      box(left, end);
      pen.globalAlpha = fade;
      pen.fillStyle = rowHeight > 6 ? this.hatch(pen, color) : color;
      if (rowHeight <= 6) pen.globalAlpha *= 0.5;
      box(left, end);
      pen.fillStyle = color;
      for (const [i, alpha] of (isThin ? [] : [0.5, 0.3, 0.15]).entries()) { // the end is open
        pen.globalAlpha = alpha * fade;
        box(end + 6 + i * 12, end + 12 + i * 12);
      }
      note ||= stateOf(request);
    } else {
      const scale = (line - left) / this.span;
      const start = Math.max(line - (due - begun) * scale, left);
      const head = Math.max(line - Math.max(due - at, 0) * scale, left);
      pen.globalAlpha = 0.18 * fade;
      if (!isThin) box(start, line);
      pen.globalAlpha = fade;
      if (state === 'queued' || state === 'held') pen.fillStyle = rowHeight > 6 ? this.hatch(pen, color) : color;
      box(start, Math.max(head, start + Math.min(3, thickness)));
      note ||= state === 'waiting' ? shortTime(Math.max(due - at, 0)) : stateOf(request);
      if (ended) note = '';
    }
    if (labelled) this.drawTexts(view, request, { middle: from + thickness / 2, fade, note });
  }

  drawTexts({ pen, left, line, family, colors, narrow }, { run, method, path, attempt }, { middle, fade, note }) {
    const size = Math.min(Math.max(Math.round(this.rowHeight * 0.5), 13), 16);
    pen.globalAlpha = fade;
    pen.textBaseline = 'middle';
    pen.textAlign = 'left';
    const strong = `600 ${size}px ${family}`, plain = `${size}px ${family}`;
    let x = 0;
    if (run) {
      const text = this.cut(pen, run, strong, narrow ? left - 8 : left * 0.55);
      pen.fillStyle = colors.ink;
      pen.fillText(text, x, middle);
      x += pen.measureText(text).width + 8;
    }
    if (!run || !narrow) {
      const call = `${method === 'GET' ? '' : `${method} `}${path}${attempt > 1 ? ` #${attempt}` : ''}`;
      pen.fillStyle = colors.soft;
      pen.fillText(this.cut(pen, call, plain, left - x - 12), x, middle);
    }
    pen.fillStyle = colors.ink;
    pen.font = plain;
    pen.fillText(note, line + 10, middle);
  }

  // cut returns as much of text as there is room for, and sets the font.
  cut(pen, text, font, width) {
    pen.font = font;
    const key = `${font} ${Math.round(width)} ${text}`;
    if (!this.texts.has(key)) {
      if (this.texts.size > 2000) this.texts.clear();
      const chars = [...text];
      let fits = chars.length;
      const cutAt = (n) => (n < chars.length ? `${chars.slice(0, n).join('')}…` : text);
      while (fits > 0 && pen.measureText(cutAt(fits)).width > width) fits--;
      this.texts.set(key, fits > 0 ? cutAt(fits) : '');
    }
    return this.texts.get(key);
  }

  hatch(pen, color) {
    if (!this.hatches.has(color)) {
      const tile = document.createElement('canvas');
      const size = Math.round(8 * devicePixelRatio);
      tile.width = tile.height = size;
      const ink = tile.getContext('2d');
      ink.strokeStyle = color;
      ink.lineWidth = size / 3.5;
      ink.beginPath();
      for (const shift of [-size, 0, size]) {
        ink.moveTo(shift - 1, size + 1);
        ink.lineTo(shift + size + 1, -1);
      }
      ink.stroke();
      const pattern = pen.createPattern(tile, 'repeat');
      pattern.setTransform(new DOMMatrix().scale(1 / devicePixelRatio));
      if (this.hatches.size > 100) this.hatches.clear();
      this.hatches.set(color, pattern);
    }
    return this.hatches.get(color);
  }
}
