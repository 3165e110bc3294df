// Makes a hundred calls, at most ten at once: ten workers share them.

const server = 'http://localhost:3000';
const name = 'your-name';
const run = `${name}.bounded.${Date.now()}`; // a new one for each try

const call = async (number) => {
  const url = `${server}/delay/200`;
  const response = await fetch(url, { headers: { 'X-Run-Id': run } });
  await response.text();
  console.log('call', number, 'got', response.status);
};

const numbers = Array.from({ length: 100 }, (_, number) => number).values();
const worker = async () => {
  for (const number of numbers) await call(number); // each takes the next number
};
await Promise.all(Array.from({ length: 10 }, worker));
