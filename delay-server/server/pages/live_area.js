'use strict';

const areaTime = 60000; // ms that an area shows

// Area draws the number of requests in flight over the last minute.
class Area {
  samples = []; // { time, waiting }; without waiting where the page was not connected
  top = 10; // of the y-axis

  clear() { this.samples = []; }

  // pause says that nothing is known from now on.
  pause() { if (this.samples.at(-1)?.waiting !== undefined) this.samples.push({ time: performance.now() }); }

  update(waiting) {
    const time = performance.now();
    this.samples.push({ time, waiting });
    const first = this.samples.findIndex((sample) => sample.time > time - areaTime);
    if (first > 1) this.samples.splice(0, first - 1); // keep one from before
  }

  peak() { return Math.max(0, ...this.samples.map(({ waiting }) => waiting ?? 0)); }

  // parts returns the samples in parts without a pause. A part that is over has an end.
  parts() {
    const parts = [];
    for (const sample of this.samples) {
      const open = parts.length > 0 && parts.at(-1).end === undefined ? parts.at(-1) : undefined;
      if (sample.waiting === undefined) {
        if (open) open.end = sample.time;
      } else if (open) {
        open.push(sample);
      } else {
        parts.push([sample]);
      }
    }
    return parts;
  }

  draw(pen, { width, height, family, colors }) {
    const time = performance.now();
    const axis = 30, above = 26, left = 16, right = width - 16, bottom = height - axis;
    const top = roundUp(Math.max(this.peak(), 10));
    this.top = reducedMotion.matches || Math.abs(top - this.top) < top / 200 ? top
      : this.top + (top - this.top) * 0.15;
    const x = (t) => Math.max(right - (time - t) / areaTime * (right - left), left);
    const y = (n) => bottom - n / this.top * (bottom - above);

    pen.globalAlpha = 1;
    pen.font = `13px ${family}`;
    pen.textBaseline = 'middle';
    pen.fillStyle = pen.strokeStyle = colors.plain;
    pen.lineWidth = 2;
    for (const part of this.parts()) {
      const outline = new Path2D();
      part.forEach(({ time: from, waiting }, i) => {
        outline.lineTo(x(from), y(i > 0 ? part[i - 1].waiting : waiting));
        outline.lineTo(x(from), y(waiting));
      });
      const end = x(part.end ?? time);
      outline.lineTo(end, y(part.at(-1).waiting));
      pen.stroke(outline);
      outline.lineTo(end, bottom);
      outline.lineTo(x(part[0].time), bottom);
      pen.globalAlpha = 0.3;
      pen.fill(outline);
      pen.globalAlpha = 1;
    }
    pen.textAlign = 'left';
    for (const part of [1, 0.5]) {
      const at = Math.round(y(top * part));
      pen.fillStyle = colors.grid;
      pen.fillRect(left, at, right - left, 1);
      pen.fillStyle = colors.soft;
      pen.fillText(count(top * part), left, at - 10);
    }
    for (const ago of width < 560 ? [60, 30, 0] : [60, 45, 30, 15, 0]) {
      const text = ago === 0 ? 'now' : `${ago} s ago`;
      pen.textAlign = ago === 60 ? 'left' : ago === 0 ? 'right' : 'center';
      pen.fillStyle = ago === 0 ? colors.ink : colors.soft;
      pen.fillText(text, x(time - ago * 1000), bottom + 16);
    }
    pen.fillStyle = colors.grid;
    pen.fillRect(left, bottom, right - left, 1);
  }
}
