// Waits before each retry, twice as long each time, with jitter.
import { setTimeout as sleep } from 'node:timers/promises';

const server = 'http://localhost:3000';
const name = 'your-name';
const run = `${name}.retry.${Date.now()}`; // a new one for each try

const call = async () => {
  const url = `${server}/delay/20?attempts=503,503,503,200`;
  const response = await fetch(url, { headers: { 'X-Run-Id': run } });
  await response.text();
  return response.status;
};

let wait = 200;
for (let attempt = 0; attempt < 5; attempt++) {
  const status = await call();
  console.log('attempt', attempt, 'got', status);
  if (status < 500) break;
  await sleep(wait * (0.5 + Math.random()));
  wait *= 2;
}
