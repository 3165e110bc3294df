// Retries at once, whatever the header Retry-After says.

const server = 'http://localhost:3000';
const name = 'your-name';
const run = `${name}.retry-after.${Date.now()}`; // a new one for each try

// call returns the status, and the seconds that Retry-After says.
const call = async () => {
  const url = `${server}/delay/20?attempts=429,429,200&retry_after=1s`;
  const response = await fetch(url, { headers: { 'X-Run-Id': run } });
  await response.text();
  return [response.status, Number(response.headers.get('Retry-After'))];
};

for (let attempt = 0; attempt < 5; attempt++) {
  const [status, retryAfter] = await call();
  console.log('attempt', attempt, 'got', status);
  if (status !== 429) break;
  // Change this: wait as long as the server says.
}
