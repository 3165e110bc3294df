// Makes three calls, one after another.

const server = 'http://localhost:3000';
const name = 'your-name';
const run = `${name}.concurrent.${Date.now()}`; // a new one for each try

const call = async (number) => {
  const url = `${server}/delay/1000`;
  const response = await fetch(url, { headers: { 'X-Run-Id': run } });
  await response.text();
  console.log('call', number, 'got', response.status);
};

// Change this: start all three calls, and only then wait for the answers.
for (let number = 0; number < 3; number++) await call(number);
