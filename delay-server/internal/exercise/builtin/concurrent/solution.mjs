// Makes three calls at once.

const server = 'http://localhost:3000';
const name = 'your-name';
const run = `${name}.concurrent.${Date.now()}`; // a new one for each try

const call = async (number) => {
  const url = `${server}/delay/1000`;
  const response = await fetch(url, { headers: { 'X-Run-Id': run } });
  await response.text();
  console.log('call', number, 'got', response.status);
};

await Promise.all([call(0), call(1), call(2)]);
