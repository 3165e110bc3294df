'use strict';
// The lanes of a race. Times are in milliseconds from the start of a lane.
const seconds = (ms) => `${(ms / 1000).toFixed(3)} s`;
const figureRow = (name) => document.querySelector(`#figures [data-row=${name}]`);

// maxBars is the maximum number of calls that a lane shows as bars. It shows more
// calls as an area: how many are in flight, over time.
const maxBars = 60;

class Lane {
  constructor(id, column, idealName) {
    this.section = byId(id);
    this.output = byId(`${id}-output`); // curl command and response
    this.column = column; // of the table
    this.idealName = idealName;
    this.canvas = this.section.querySelector('canvas');
    this.part = (selector) => this.section.querySelector(selector);
    this.plan = undefined; // the lane of /race/plan
    this.reset(0);
  }

  // reset prepares the lane for the calls r1, r2, … and lastName.
  reset(calls, lastName = `r${calls}`) {
    Object.assign(this, { calls: new Map(), rows: calls, lastName });
    Object.assign(this, { origin: undefined, total: undefined, failed: undefined });
    this.section.classList.remove('over');
    this.output.lastElementChild.textContent = '';
    for (const row of document.querySelectorAll('#figures [data-row]:not([data-row=ideal])')) {
      row.cells[this.column].textContent = '–';
    }
    this.show();
  }

  // setPlan sets what the lane shows if only the waits take time, or undefined.
  setPlan(plan) {
    this.plan = plan;
    figureRow('ideal').cells[this.column].textContent = plan ? seconds(plan.total_ms) : 'unknown';
  }

  start() { this.origin = performance.now(); }

  beginCall(call, time) { this.calls.set(call, { begin: time }); }

  endCall(call, time, status) { Object.assign(this.calls.get(call), { end: time, ok: status >= 200 && status < 400 }); }

  finish(total, response) {
    this.total = total;
    this.section.classList.add('over');
    this.output.lastElementChild.textContent = response;
  }

  // showWhole shows the lane as one call: nobody saw its calls.
  showWhole() {
    if (this.rows === 0 || this.calls.size > 0) return;
    Object.assign(this, { rows: 1, lastName: 'all' });
    this.calls.set('all', { begin: 0, end: this.total, ok: true });
  }

  elapsed() { return this.total ?? (this.origin === undefined ? 0 : performance.now() - this.origin); }

  // stop stops the clock of a lane that has no total.
  stop() { this.total ??= this.elapsed(); }

  title() { return this.part('h2').textContent; }

  setTitle(title) {
    this.part('h2').textContent = title;
    document.querySelector('#figures thead').rows[0].cells[this.column].textContent = title;
  }

  callName(row) { return row === this.rows - 1 ? this.lastName : `r${row + 1}`; }

  show() {
    const ended = [...this.calls.values()].filter((call) => call.end !== undefined).length;
    const isRunning = this.origin !== undefined && this.total === undefined;
    const inFlight = isRunning && this.rows > maxBars ? `${this.calls.size - ended} in flight` : '';
    this.part('.in-flight').textContent = inFlight;
    this.part('.count').textContent = this.rows > 0 ? `${ended} of ${this.rows}` : '';
    this.part('.clock').textContent = seconds(this.elapsed());
  }

  // draw draws the calls. The lane is scale milliseconds wide, and an area peak calls
  // high.
  draw(scale, peak = this.rows) {
    const { width, height } = this.canvas.getBoundingClientRect();
    this.canvas.width = Math.round(width * devicePixelRatio);
    this.canvas.height = Math.round(height * devicePixelRatio);
    const pen = this.canvas.getContext('2d');
    pen.scale(devicePixelRatio, devicePixelRatio);
    const style = getComputedStyle(this.canvas);
    const ink = getComputedStyle(document.body).color;
    pen.font = `${style.fontSize} ${style.fontFamily}`;
    pen.textBaseline = 'middle';

    const axis = 1.75 * parseFloat(style.fontSize), bottom = height - axis;
    const row = bottom / Math.max(this.rows, 1);
    const hasNames = this.rows >= 2 && this.rows <= maxBars && row >= 13;
    const left = hasNames ? pen.measureText(this.callName(this.rows - 1)).width + 12 : 0;
    const x = (time) => left + (width - left) * Math.min(time / scale, 1);
    this.drawAxis(pen, { x, ink, scale, width, bottom, axis });
    const planned = this.plan?.bars_ms.length === this.rows ? this.plan.bars_ms : [];
    if (this.rows > maxBars) {
      this.drawAreas(pen, { x, bottom, peak, planned, color: style.color });
    } else {
      this.drawBars(pen, { x, row, ink, planned, hasNames, style });
    }
    if (planned.length > 0) this.drawIdeal(pen, { x, ink, width, bottom, axis });
  }

  drawBars(pen, { x, row, ink, planned, hasNames, style }) {
    const gap = row > 4 ? Math.min(row / 5, 6) : 0;
    const bar = (i, begin, end) => {
      pen.beginPath();
      pen.roundRect(x(begin), i * row + gap / 2, Math.max(x(end) - x(begin), 1), Math.max(row - gap, 1), gap);
      pen.fill();
    };
    for (let i = 0; i < this.rows; i++) {
      const call = this.calls.get(this.callName(i));
      if (hasNames) {
        pen.fillStyle = ink;
        pen.globalAlpha = call ? 0.85 : 0.5;
        pen.fillText(this.callName(i), 0, (i + 0.5) * row);
      }
      pen.fillStyle = style.color;
      if (planned.length > 0) {
        pen.globalAlpha = 0.16;
        bar(i, ...planned[i]);
      }
      if (!call) continue;
      if (call.end !== undefined && !call.ok) pen.fillStyle = style.accentColor;
      pen.globalAlpha = call.end === undefined ? 0.55 : 1;
      bar(i, call.begin, call.end ?? this.elapsed());
    }
  }

  // drawAreas draws the calls in flight over time, and behind them the planned ones.
  drawAreas(pen, { x, bottom, peak, planned, color }) {
    const elapsed = this.elapsed();
    const calls = [...this.calls.values()].map((call) => [call.begin, call.end ?? elapsed]);
    const y = (n) => bottom - (n === 0 ? 0 : Math.max(bottom * Math.min(n / peak, 1), 4));
    pen.fillStyle = color;
    for (const [alpha, spans] of [[0.16, planned], [1, calls]]) {
      pen.globalAlpha = alpha;
      pen.beginPath();
      pen.moveTo(x(0), bottom);
      let inFlight = 0;
      for (const [time, change] of changesOf(spans)) {
        pen.lineTo(x(time), y(inFlight));
        inFlight += change;
        pen.lineTo(x(time), y(inFlight));
      }
      pen.fill();
    }
  }

  // drawIdeal marks the time of the lane if only the waits take time.
  drawIdeal(pen, { x, ink, width, bottom, axis }) {
    const at = x(this.plan.total_ms), label = `${axisTime(this.plan.total_ms)}, ${this.idealName()}`;
    pen.globalAlpha = 0.7;
    pen.strokeStyle = pen.fillStyle = ink;
    pen.setLineDash([2, 4]);
    pen.beginPath();
    pen.moveTo(at, 0);
    pen.lineTo(at, bottom);
    pen.stroke();
    pen.setLineDash([]);
    const labelWidth = pen.measureText(label).width;
    const right = Math.max(at, x(this.total ?? 0)) + 8; // beside the bars
    if (right + labelWidth <= width) pen.fillText(label, right, bottom - axis / 2);
    else pen.fillText(label, at - 8 - labelWidth, axis / 2);
  }

  // drawAxis draws the ticks from right to left, without overlapping labels.
  drawAxis(pen, { x, ink, scale, width, bottom, axis }) {
    pen.fillStyle = ink;
    const step = tickStep(scale, width - x(0), pen.measureText('0000.00 ms').width);
    let right = width; // left edge of the label to the right
    for (let i = Math.floor(scale / step); i >= 0; i--) {
      const time = i * step, tick = x(time);
      pen.globalAlpha = 0.14;
      pen.fillRect(Math.min(tick, width - 1), 0, 1, bottom);
      const label = axisTime(time, scale);
      const labelWidth = pen.measureText(label).width;
      const left = Math.min(Math.max(tick - labelWidth / 2, 0), width - labelWidth);
      if (left + labelWidth > right) continue;
      pen.globalAlpha = 0.7;
      pen.fillText(label, left, bottom + axis / 2);
      right = left - 6;
    }
  }
}

// changesOf returns [time, change] in order of time: +1 for each start of spans, -1
// for each end.
const changesOf = (spans) => spans.flatMap(([begin, end]) => [[begin, 1], [end, -1]]).sort((a, b) => a[0] - b[0]);

// axisTime returns a time in the unit of a scale.
const axisTime = (time, scale = time) =>
  (scale < 1000 ? `${+time.toPrecision(3)} ms` : `${+(time / 1000).toPrecision(4)} s`);

// tickStep returns the smallest round step in milliseconds whose labels fit on an
// axis of width pixels.
const tickStep = (scale, width, labelWidth) => {
  const min = scale * Math.min(labelWidth / width, 1 / 2);
  const power = 10 ** Math.floor(Math.log10(min));
  return [1, 2, 5, 10].map((n) => n * power).find((step) => step >= min) ?? min;
};
