// Waits up to two seconds for the answer, then closes the connection.

const server = 'http://localhost:3000';
const name = 'your-name';
const run = `${name}.timeout.${Date.now()}`; // a new one for each try

const url = `${server}/delay/5000`;
try {
  const signal = AbortSignal.timeout(2000);
  const response = await fetch(url, { headers: { 'X-Run-Id': run }, signal });
  console.log('got', response.status);
} catch (error) {
  console.log('gave up:', error.message);
}
