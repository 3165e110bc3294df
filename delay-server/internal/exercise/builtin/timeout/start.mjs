// Waits for the answer, however long it takes.

const server = 'http://localhost:3000';
const name = 'your-name';
const run = `${name}.timeout.${Date.now()}`; // a new one for each try

// Change this: give up after two seconds.
const url = `${server}/delay/5000`;
const response = await fetch(url, { headers: { 'X-Run-Id': run } });
console.log('got', response.status);
