// Sends a second request after a second, takes the first answer, and cancels
// the other request.
import { setTimeout as sleep } from 'node:timers/promises';

const server = 'http://localhost:3000';
const name = 'your-name';
const run = `${name}.hedge.${Date.now()}`; // a new one for each try

const call = async (signal) => {
  const url = `${server}/delay/100?attempts=200@6s,200`;
  const response = await fetch(url, { headers: { 'X-Run-Id': run }, signal });
  await response.text();
  return response.status;
};

const first = new AbortController();
const second = new AbortController();

const hedge = async () => {
  await sleep(1000, null, { signal: second.signal });
  return call(second.signal);
};
const status = await Promise.any([call(first.signal), hedge()]);
first.abort(); // whoever lost closes its connection
second.abort();
console.log('got', status);
