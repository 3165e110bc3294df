// The tutorial's app: the same slow calls, one after another and all at once.
//
//   node app.mjs    serves /get_data and /async_get_data at http://localhost:5001
//
// It needs Node 18 or later, and no package. DELAY_SERVER_URL sets the slow service, HOST
// and PORT the address.

import { randomUUID } from 'node:crypto';
import { createServer } from 'node:http';

const slow = (process.env.DELAY_SERVER_URL || 'http://localhost:3000').replace(/\/$/, '');

// Step 1: two endpoints, which differ in how they make their calls. Without calls, they answer ok.
const endpoints = {
  '/get_data': async (query, run) => answer(await sequential(readCalls(query), run)),
  '/async_get_data': async (query, run) => answer(await concurrent(readCalls(query), run)),
};

// Step 2, one after another: each call ends before the next, by await. The waits add up.
async function sequential(calls, run) {
  const statuses = {};
  for (const { name, wait } of calls) {
    statuses[name] = await call(wait, run);
  }
  return statuses;
}

// Step 2, all at once: Promise.all waits for the calls that map has started. The waits overlap.
async function concurrent(calls, run) {
  const statuses = await Promise.all(calls.map(({ wait }) => call(wait, run)));
  return Object.fromEntries(calls.map(({ name }, i) => [name, statuses[i]]));
}

async function call(wait, run) {
  const response = await fetch(`${slow}/delay/${wait}`, { headers: { 'X-Run-Id': run } });
  await response.text(); // frees the connection for the next call
  return response.status;
}

// Step 3: any number of calls, r1, r2 and so on.
function readCalls(query) {
  for (const name of query.keys()) {
    if (!['calls', 'delay', 'db'].includes(name)) {
      throw new Rejected(400, `unknown parameter ${name}: use calls and delay`);
    }
  }
  if (query.has('db')) rejectDatabase();
  const count = number(query, 'calls', 2, 1000);
  const wait = number(query, 'delay', 1000, 60_000);
  return Array.from({ length: count }, (_, i) => ({ name: `r${i + 1}`, wait }));
}

// Step 4: a query needs a driver, which is a package. Node's own SQLite would stop all calls while a query runs.
function rejectDatabase() {
  throw new Rejected(501, 'db needs a database driver, and this app uses no package: try the Python app or demo-api');
}

function number(query, name, initial, limit) {
  const values = query.getAll(name);
  if (values.length === 0) return initial;
  if (values.length > 1 || !/^[0-9]{1,5}$/.test(values[0]) || Number(values[0]) > limit) {
    throw new Rejected(400, `${name} is invalid: use one whole number from 0 to ${limit}`);
  }
  return Number(values[0]);
}

class Rejected extends Error {
  constructor(status, sentence) {
    super(sentence);
    this.status = status;
  }
}

const answer = (statuses) => (Object.keys(statuses).length > 0
  ? ['application/json', JSON.stringify(statuses)]
  : ['text/plain; charset=utf-8', 'ok']);

const server = createServer(async (request, response) => {
  const url = new URL(request.url, 'http://localhost');
  const run = request.headers['x-run-id'] || `generated.${randomUUID()}`; // delay-server shows it as a waterfall
  let status = 200, kind = 'text/plain; charset=utf-8', body;
  try {
    if (!Object.hasOwn(endpoints, url.pathname)) {
      throw new Rejected(404, `use ${Object.keys(endpoints).join(' or ')}`);
    }
    [kind, body] = await endpoints[url.pathname](url.searchParams, run);
  } catch (error) {
    [status, body] = error instanceof Rejected
      ? [error.status, error.message]
      : [502, `a call to ${slow} failed: ${error.cause?.message || error.message}`];
  }
  response.writeHead(status, { 'Content-Type': kind, 'X-Run-Id': run });
  response.end(`${body}\n`);
});

server.listen(Number(process.env.PORT || 5001), process.env.HOST || 'localhost', () => {
  console.log(`listening at http://localhost:${server.address().port}`);
});
