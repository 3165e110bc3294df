// Retries a failed call at once.

const server = 'http://localhost:3000';
const name = 'your-name';
const run = `${name}.retry.${Date.now()}`; // a new one for each try

const call = async () => {
  const url = `${server}/delay/20?attempts=503,503,503,200`;
  const response = await fetch(url, { headers: { 'X-Run-Id': run } });
  await response.text();
  return response.status;
};

for (let attempt = 0; attempt < 5; attempt++) {
  const status = await call();
  console.log('attempt', attempt, 'got', status);
  if (status < 500) break;
  // Change this: wait about 200 ms, then twice as long each time, and
  // multiply each wait by a random number from 0.5 to 1.5.
}
