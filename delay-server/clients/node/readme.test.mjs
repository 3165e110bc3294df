import assert from 'node:assert/strict';
import { after, test } from 'node:test';

import { start } from './delayserver.mjs';

import { setTimeout as sleep } from 'node:timers/promises'; // for the code under test

/** The code under test: it retries a 503, first after 100 ms, then after 200 ms. */
async function fetchText(url, tries = 3) {
  for (let pause = 100; ; pause *= 2) {
    const reply = await fetch(url);
    const text = await reply.text();
    if (reply.ok) return text;
    if (reply.status !== 503 || --tries === 0) throw new Error(`${url}: ${reply.status}`);
    await sleep(pause);
  }
}

const server = await start();
after(() => server.close());

test('backs off', async () => {
  const run = server.run();
  await fetchText(run.url('/delay/10?attempts=503,503,200'));
  // 99 ms: setTimeout may be 1 ms early. within forgives waits up to 5 s too long, for a
  // busy machine; none may be too short.
  await run.check({ attempts: 3, backoff: '99ms,2', within: '5s' });
});

test('fetches all at once', async () => {
  const run = server.run();
  const hold = run.hold('prices');
  const fetched = Promise.all([1, 2, 3].map(() => fetchText(hold.url)));
  await hold.waitFor(3); // all three wait at the same time
  await hold.release(); // and are answered
  await fetched;
  await run.check({ peak: 3 });
});

test('a slow answer is an answer', async () => {
  const run = server.run();
  await run.clock.freeze();
  const fetched = fetchText(run.delayUrl(60_000));
  await run.clock.waitFor(1); // the request has come
  await run.clock.advance(60_000); // a minute passes at once
  await fetched;
});

test('routes of the shop', async () => {
  const run = server.run();
  await run.scenario(`
    routes:
      - path: /prices/{id}
        delay: 5ms
        json: {price: 12}
  `);
  assert.equal(await fetchText(run.url('/prices/7')), '{"price":12}');
});
