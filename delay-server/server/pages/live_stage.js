'use strict';

// count writes a whole number with a comma between thousands.
const count = (n) => n.toLocaleString('en');

const maxListed = 400; // requests in a state

// Stage draws the requests in flight on the canvas: as bars or, if a state does not list
// all of them, as an area over time. Nothing is drawn while nothing moves.
class Stage {
  time = new ServerTime();
  bars = new Bars();
  area = new Area();
  state = undefined; // undefined while the page is not connected
  isEmpty = false; // for a moment already: there is no axis
  showsArea = false;
  requested = false;
  saidAt = -Infinity;

  constructor(canvas) {
    this.canvas = canvas;
    new ResizeObserver(() => this.requestFrame()).observe(canvas);
    for (const query of [darkScheme, reducedMotion]) query.addEventListener('change', () => this.requestFrame());
  }

  show(state) {
    this.state = state;
    this.time.set(state);
    this.area.update(state.waiting);
    this.showsArea = state.waiting > (this.showsArea ? maxListed * 0.75 : maxListed);
    if (this.showsArea) this.bars.clear(); else this.bars.update(state.requests, state.now);
    this.requestFrame();
    this.describe();
  }

  // disconnect removes what may be outdated.
  disconnect() {
    if (!this.state) return;
    this.state = undefined;
    this.time.stop();
    this.bars.clear();
    this.area.pause();
    this.requestFrame();
    this.canvas.setAttribute('aria-label', 'Not connected.');
  }

  clear() {
    this.disconnect();
    this.area.clear();
    this.showsArea = false;
  }

  requestFrame() {
    if (this.requested) return;
    this.requested = true;
    const draw = () => {
      this.requested = false;
      if (this.draw() && !reducedMotion.matches) this.requestFrame();
    };
    requestAnimationFrame(draw);
  }

  // draw reports whether the next frame differs.
  draw() {
    const { width, height } = this.canvas.getBoundingClientRect();
    const [w, h] = [width, height].map((length) => Math.round(length * devicePixelRatio));
    if (this.canvas.width !== w || this.canvas.height !== h) Object.assign(this.canvas, { width: w, height: h });
    const pen = this.canvas.getContext('2d');
    pen.setTransform(devicePixelRatio, 0, 0, devicePixelRatio, 0, 0);
    pen.clearRect(0, 0, width, height);
    const style = getComputedStyle(this.canvas);
    const frame = { width, height, family: style.fontFamily, colors: {
      ink: style.color, soft: style.caretColor, plain: style.accentColor,
      line: style.outlineColor, grid: style.textDecorationColor,
    } };
    if (this.showsArea) {
      this.area.draw(pen, frame);
      return this.state !== undefined;
    }
    if (this.bars.rows.size === 0 && (!this.state || this.isEmpty)) return false;
    const moving = this.bars.draw(pen, frame, this.time.now());
    return moving || (this.time.speed > 0 && this.bars.rows.size > 0);
  }

  // describe updates the text alternative, at most once a second.
  describe() {
    if (performance.now() < this.saidAt + 1000) return;
    this.saidAt = performance.now();
    this.canvas.setAttribute('aria-label', this.description());
  }

  description() {
    const { waiting, requests, clock } = this.state;
    if (waiting === 0) return 'No request waits.';
    const requestsWait = waiting === 1 ? '1 request waits' : `${count(waiting)} requests wait`;
    if (this.showsArea) return `${requestsWait}; at most ${count(this.area.peak())} in the last minute.`;
    const dues = requests.map(({ due }) => due).filter((due) => due !== undefined);
    const parts = [clock.frozen ? `${requestsWait}, the clock is frozen` : requestsWait];
    const left = (due) => shortTime(Math.max(due - this.state.now, 0));
    if (dues.length > 0) parts.push(`the first is due in ${left(Math.min(...dues))}`);
    if (dues.length > 1) parts.push(`the last in ${left(Math.max(...dues))}`);
    const open = requests.length - dues.length;
    if (open > 0) parts.push(`${open} for an event`);
    return `${parts.join('; ')}.`;
  }
}
