// Calls ten times a second, but not for a second after three failures in a row.
import { setTimeout as sleep } from 'node:timers/promises';

const server = 'http://localhost:3000';
const name = 'your-name';
const run = `${name}.breaker.${Date.now()}`; // a new one for each try

const call = async () => {
  const url = `${server}/delay/20?attempts=503,503,503,503,200`;
  const response = await fetch(url, { headers: { 'X-Run-Id': run } });
  await response.text();
  return response.status;
};

let failures = 0; // in a row
let openUntil = 0;
for (let i = 0; i < 30; i++) {
  if (performance.now() < openUntil) {
    console.log('not called: the breaker is open');
  } else {
    const status = await call();
    console.log('got', status);
    failures = status >= 500 ? failures + 1 : 0;
    if (failures >= 3) openUntil = performance.now() + 1000;
  }
  await sleep(100);
}
