// Waits for a single request, also if it is a slow one.

const server = 'http://localhost:3000';
const name = 'your-name';
const run = `${name}.hedge.${Date.now()}`; // a new one for each try

const call = async (signal) => {
  const url = `${server}/delay/100?attempts=200@6s,200`;
  const response = await fetch(url, { headers: { 'X-Run-Id': run }, signal });
  await response.text();
  return response.status;
};

// Change this: after a second without an answer, send a second request. Take the
// first answer, and abort the other: call(controller.signal) ends at
// controller.abort() of an AbortController.
console.log('got', await call());
