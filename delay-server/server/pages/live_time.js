'use strict';

// ServerTime estimates the time on the server's clock between two states, in
// milliseconds.
class ServerTime {
  base = 0; // at this.since
  since = 0; // of performance.now()
  speed = 0; // time on the clock per real time

  now() { return this.base + (performance.now() - this.since) * this.speed; }

  // set takes the time of a state that has just arrived.
  set({ now, clock }) {
    const ahead = this.now() - now;
    const speed = clock.frozen ? 0 : 1 / clock.scale;
    // A state that was late on its way moves no bar back.
    const late = speed > 0 && ahead > 0 && ahead < 150 * speed;
    this.base = late ? now + ahead * 0.8 : now;
    this.since = performance.now();
    this.speed = speed;
  }

  // stop stops the estimate until the next state.
  stop() {
    this.base = this.now();
    this.since = performance.now();
    this.speed = 0;
  }
}

// shortTime writes milliseconds with two digits or more: 340 ms, 1.2 s, 12 s, 3 min.
const shortTime = (ms) => {
  if (ms < 999.5) return `${Math.round(ms)} ms`;
  if (ms < 9950) return `${(ms / 1000).toFixed(1)} s`;
  if (ms < 119500) return `${Math.round(ms / 1000)} s`;
  return `${Math.round(ms / 60000)} min`;
};

// roundUp returns the smallest of 1, 2, 5, 10, … that is not below n, or of other steps.
const roundUp = (n, steps = [1, 2, 5, 10]) => {
  const power = 10 ** Math.floor(Math.log10(n));
  return steps.map((step) => step * power).find((round) => round >= n * (1 - 1e-9));
};

// timeStep returns the smallest round time that is not below ms.
const timeStep = (ms) => {
  if (ms <= 10000) return roundUp(ms);
  return [15, 20, 30].map((seconds) => seconds * 1000).find((step) => step >= ms) ?? 60000 * roundUp(ms / 60000);
};
