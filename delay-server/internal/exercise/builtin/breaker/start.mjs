// Calls ten times a second, also while the service is down.
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

// Change this: after three failures in a row, call nothing for a second,
// then let one call through.
for (let i = 0; i < 30; i++) {
  console.log('got', await call());
  await sleep(100);
}
