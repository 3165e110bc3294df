// Makes a hundred calls at once.

const server = 'http://localhost:3000';
const name = 'your-name';
const run = `${name}.bounded.${Date.now()}`; // a new one for each try

const call = async (number) => {
  const url = `${server}/delay/200`;
  const response = await fetch(url, { headers: { 'X-Run-Id': run } });
  await response.text();
  console.log('call', number, 'got', response.status);
};

// Change this: make all hundred calls, but never more than ten at the same time.
const numbers = Array.from({ length: 100 }, (_, number) => number);
await Promise.all(numbers.map(call));
