/** Tests of delayserver.mjs. A server at DELAY_SERVER_URL needs an ADMIN_TOKEN, in DELAY_SERVER_TOKEN. */

import assert, { AssertionError } from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer } from 'node:http';
import { createServer as createTCPServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, describe, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';

import { DelayServer, Problem, start } from './delayserver.mjs';

const server = await start();
after(() => server.close());

/** Resolves to the status of the answer. */
async function get(url, headers = {}) {
  const reply = await fetch(url, { headers });
  await reply.arrayBuffer();
  return reply.status;
}

const problem = (type) => (error) => error instanceof Problem && error.type === type;

/** The client under test: it retries a 503 after a pause that doubles. */
async function getWithRetries(url, tries, pauseMs) {
  for (; ; tries--, pauseMs *= 2) {
    const status = await get(url);
    if (status !== 503 || tries === 1) return status;
    await sleep(pauseMs);
  }
}

describe('Prove that a client retries well', () => {
  test('the client backs off', async () => {
    const run = server.run();
    assert.equal(await getWithRetries(run.url('/delay/1?attempts=503,503,200'), 3, 20), 200);
    // setTimeout may be up to 1 ms early.
    await run.check({ statuses: [503, 503, 200], backoff: '19ms,2', within: '5s' });
  });

  test('a client that does not back off', async () => {
    const run = server.run();
    await getWithRetries(run.url('/delay/1?attempts=503'), 3, 0);
    await assert.rejects(run.check({ attempts: 4, backoff: '1h,2' }), (error) => {
      assert.ok(error instanceof AssertionError);
      const text = /^attempts: .*must.*\n  want 4\n  got  3\nbackoff: .*must wait .*or more\n  want/;
      assert.match(error.message, text);
      assert.match(error.message, /\nGET \/delay\/1 .*503\n  < .*want 4/); // the place is marked
      return true;
    });
  });

  test('many runs', async () => {
    const prefix = server.run().id;
    for (const i of [0, 1, 2]) await get(server.run(`${prefix}-${i}`).delayUrl(0));
    await server.checkRuns(prefix, { attempts: 1 });
    const text = new RegExp(`attempts: run ${prefix}-0: `);
    await assert.rejects(server.checkRuns(prefix, { attempts: 2 }), text);
  });

  test('an invalid check', async () => {
    const run = server.run();
    await get(run.delayUrl(0));
    for (const [checks, type] of [
      [{ attemps: 4 }, 'unknown-parameter'],
      [{ attempts: 'four' }, 'invalid-parameter'],
      [{ attempts: 4, statuses: [200] }, 'conflicting-parameters'],
      [{}, 'invalid-parameter'],
    ]) {
      await assert.rejects(run.check(checks), problem(type));
    }
  });

  test('a run without requests', async () => {
    const run = server.run();
    await assert.rejects(run.check({ attempts: 1 }), (error) => {
      assert.ok(error instanceof AssertionError);
      assert.match(error.message, /^attempts: run "\S+" not found: .*\n {2}want 1\n {2}got {2}no request\n/);
      return true;
    });
    await assert.rejects(server.checkRuns(run.id, { attempts: 1 }), /attempts: no run begins with "/);
  });
});

describe('Routes of a run and of the server', () => {
  test('a run has its own routes', async () => {
    const run = server.run();
    const other = server.run();
    await run.scenario('routes: [{path: /prices, delay: 1ms, status: 503}]');
    assert.equal(await get(run.url('/prices')), 503);
    assert.equal(await get(other.url('/prices')), 404);
    await run.check({ statuses: [503] });
  });

  test('the server has routes', async (t) => {
    t.after(() => server.reset());
    await server.scenario('routes: [{path: /prices, delay: 1ms, status: 418}]');
    assert.equal(await get(`${server.url}/prices`), 418);
  });

  test('an invalid scenario', async () => {
    for (const it of [server, server.run()]) {
      await assert.rejects(it.scenario('routes:\n  - {path: /a, delay: soon}'), (error) => {
        assert.equal(error.type, 'invalid-scenario');
        assert.match(error.detail, /:2:.*soon/);
        return true;
      });
    }
  });
});

describe('Decide when requests are answered, and see which of them ran at once', () => {
  test('a hold keeps requests until they are released', async () => {
    const run = server.run();
    const hold = run.hold('prices');
    const replies = [1, 2, 3].map(() => get(hold.url));
    await hold.waitFor(3);
    await assert.rejects(hold.release({ count: 4 }), problem('too-few-held'));
    await assert.rejects(server.run().hold('prices').release(), problem('hold-not-found'));
    assert.equal(await hold.release(1), 1);
    assert.equal(await hold.release(), 2);
    assert.deepEqual(await Promise.all(replies), [200, 200, 200]);
    assert.equal((await run.settled()).peak_in_flight, 3);
  });

  test('a hold releases by choice', async () => {
    const hold = server.run().hold('prices');
    const replies = [];
    for (const n of [1, 2, 3, 4, 5]) {
      replies.push(get(hold.url));
      await hold.waitFor(n);
    }
    assert.equal(await hold.release({ order: 'newest' }), 1);
    assert.equal(await replies[4], 200);
    assert.equal(await hold.release({ nth: 2 }), 1);
    assert.equal(await replies[1], 200);
    assert.equal(await hold.release({ attempt: 3 }), 1);
    assert.equal(await replies[2], 200);
    assert.equal(await hold.release({ order: 'newest', count: 2 }), 2);
    await Promise.all(replies);
  });

  test('a hold that fails answers 503', async () => {
    const run = server.run();
    const reply = get(run.hold('prices').url);
    await run.waitFor(1);
    assert.equal(await run.hold('prices').fail(), 1);
    assert.equal(await reply, 503);
  });

  test('a hold of the server', async () => {
    const hold = server.hold(server.run().id);
    const replies = [get(hold.url), get(hold.url)];
    await hold.waitFor(2);
    assert.equal(await hold.release({ count: 1 }), 1);
    assert.equal(await hold.fail(), 1);
    assert.deepEqual((await Promise.all(replies)).sort(), [200, 503]);
  });

  test('a barrier answers when all have arrived', async () => {
    const run = server.run();
    const replies = [1, 2, 3].map(() => get(run.barrierUrl('all', 3)));
    assert.deepEqual(await Promise.all(replies), [200, 200, 200]);
    const shared = [1, 2].map(() => get(server.barrierUrl(run.id, 2)));
    assert.deepEqual(await Promise.all(shared), [200, 200]);
    assert.equal((await run.settled()).requests, 3);
  });

  test('the clock of the server', async (t) => {
    const run = server.run();
    const { clock } = server;
    t.after(() => clock.reset());
    assert.equal((await clock.freeze()).frozen, true);
    const reply = get(run.delayUrl(90_000));
    await clock.waitFor(1);
    assert.equal((await clock.state()).next_ms, 90_000);
    await clock.advance(89_999.999_999);
    assert.equal((await run.waitFor(1)).waiting, 1);
    await clock.advance(0.000_001);
    assert.equal(await reply, 200);
    assert.equal((await run.settled()).waits[0].waited_ms, 90_000);
    assert.equal((await clock.unfreeze()).frozen, false);
    assert.equal((await clock.scale(0.5)).scale, 0.5);
    assert.equal((await clock.reset()).scale, 1);
  });

  test('runs have clocks of their own', async () => {
    const run = server.run();
    const other = server.run();
    await assert.rejects(run.clock.state(), problem('run-clock-not-found'));
    for (const { clock } of [run, other]) await clock.freeze();
    const [reply, later] = [run, other].map((r) => get(r.delayUrl(60_000)));
    for (const { clock } of [run, other]) await clock.waitFor(1);
    await run.clock.advance(60_000);
    assert.equal(await reply, 200);
    assert.equal((await other.clock.state()).waiting, 1);
    assert.equal((await server.clock.state()).frozen, false);
    await other.clock.advance(60_000);
    assert.equal(await later, 200);
  });

  test('a reset brings the server back to its start', async () => {
    const run = server.run();
    await server.clock.freeze();
    const reply = get(run.hold('prices').url);
    await run.waitFor(1);
    await server.reset();
    assert.equal(await reply, 503);
    assert.equal((await server.clock.state()).frozen, false);
    await assert.rejects(run.settled(), problem('run-not-found'));
  });

  test('requests belong to a run by URL or headers', async () => {
    const run = server.run();
    for (const url of [run.delayUrl(1.5), run.url('/delay/1?status=503'), run.url(`${server.url}/delay/1`)]) {
      await get(url);
    }
    await get(server.delayUrl(0), run.headers);
    assert.deepEqual((await run.settled()).waits.map((w) => w.asked_ms), [1.5, 1, 1, 0]);
    assert.match(await run.waterfall(), /\/delay\/0/);
    await run.forget();
    await server.forgetRuns();
    await assert.rejects(run.waterfall(), problem('run-not-found'));
  });

  test('names are escaped', async () => {
    const name = `${server.run().id}/?&=%2F+`;
    const run = server.run(name);
    const hold = server.hold(name);
    const reply = get(run.url(hold.url));
    await hold.waitFor(1);
    await hold.release();
    assert.equal(await reply, 200);
    assert.equal((await run.settled()).id, name);
    for (const invalid of ['', '.', '..']) {
      assert.throws(() => server.hold(invalid), /name ".*" is invalid/);
    }
  });
});

describe('What fails says why', () => {
  test('a problem names the request, the type and the detail', async () => {
    await assert.rejects(server.run('unknown').settled(), (error) => {
      assert.equal(error.name, 'Problem');
      assert.deepEqual([error.type, error.status, error.title], ['run-not-found', 404, 'Run not found']);
      assert.match(error.detail, /run "unknown" not found/);
      const text = /^GET http\S+\/admin\/runs\/unknown\?\S+: 404 run-not-found: run "unknown" not found/;
      assert.match(error.message, text);
      return true;
    });
  });

  test('a wait ends with the time', async (t) => {
    t.after(() => (server.timeoutMs = 10_000));
    server.timeoutMs = 10;
    await assert.rejects(server.hold(server.run().id).waitFor(2), problem('wait-timeout'));
  });

  test('a wrong token', async () => {
    await assert.rejects(new DelayServer(server.url, 'wrong').clock.freeze(), problem('token-required'));
  });

  test('a server that is not there', async () => {
    const url = await listen(createServer(), (base) => base);
    const error = await new DelayServer(url).clock.state().catch((e) => e);
    assert.equal(error.message, `GET ${url}/admin/clock: no delay-server answers: ECONNREFUSED`);
  });

  test('another server', async () => {
    const elsewhere = { Location: 'http://192.0.2.1/' }; // nothing answers there
    const handler = ({ url }, reply) => {
      if (url.startsWith('/moved/')) reply.writeHead(302, elsewhere).end();
      else if (url.startsWith('/problem/')) {
        reply.writeHead(404, { 'Content-Type': 'application/problem+json' }).end('{}');
      } else reply.writeHead(200, { 'Content-Type': 'text/html' }).end();
    };
    await listen(createServer(handler), async (url) => {
      for (const [path, status] of [['/moved', 302], ['', 200]]) {
        const answer = new DelayServer(url + path, 'token').clock.state();
        await assert.rejects(answer, new RegExp(`unexpected reply ${status} .*\\(is this a delay-server`));
      }
      await assert.rejects(new DelayServer(`${url}/problem`).clock.state(), problem('about:blank'));
    });
  });

  test('a server that closes each connection, as Docker does for a while', async () => {
    await listen(createTCPServer((socket) => socket.destroy()), async (url) => {
      await assert.rejects(new DelayServer(url).clock.state(), /no delay-server answers: ECONNRESET/);
    });
  });

  test('an invalid URL', () => {
    for (const url of ['', '127.0.0.1:3000', 'ftp://a', 'http://', 'http://a?b', 'http://a#b', 'http://u:secret@a']) {
      assert.throws(() => new DelayServer(url), /use http:\/\/HOST:PORT/, url);
    }
  });
});

/** Runs a server at a free port during use(url). Resolves to the result of use. */
async function listen(other, use) {
  other.listen(0, '127.0.0.1');
  await new Promise((resolve) => other.on('listening', resolve));
  try {
    return await use(`http://127.0.0.1:${other.address().port}`);
  } finally {
    await new Promise((resolve) => other.close(resolve));
  }
}

describe('start() follows the environment', () => {
  const binary = process.env.DELAY_SERVER_BINARY;
  const image = process.env.DELAY_SERVER_IMAGE;
  const needsBinary = { skip: !binary && 'no DELAY_SERVER_BINARY' };

  async function startWith(t, environment, settings = {}) {
    const before = { ...process.env };
    for (const name of Object.keys(before)) if (name.startsWith('DELAY_SERVER_')) delete process.env[name];
    Object.assign(process.env, environment);
    try {
      const started = await start(settings);
      t.after(() => started.close());
      return started;
    } finally {
      for (const name of Object.keys(environment)) delete process.env[name];
      Object.assign(process.env, before);
    }
  }

  test('a URL', async (t) => {
    const DELAY_SERVER_URL = 'http://127.0.0.1:9/base/';
    assert.equal((await startWith(t, { DELAY_SERVER_URL })).url, 'http://127.0.0.1:9/base');
    const settings = startWith(t, { DELAY_SERVER_URL }, { MAX_DELAY: '1h' });
    await assert.rejects(settings, /runs already: start it with MAX_DELAY/);
  });

  test('a program runs until it is closed', needsBinary, async (t) => {
    const started = await startWith(t, { DELAY_SERVER_BINARY: binary, DELAY_SERVER_TOKEN: 't', PORT: 'x' });
    await new DelayServer(started.url, 't').clock.state();
    await started.close();
    await assert.rejects(started.clock.state(), /no delay-server answers/);
    await started.close();
  });

  test('a program ends with the process', needsBinary, async () => {
    const script = `import { start } from ${JSON.stringify(new URL('delayserver.mjs', import.meta.url))};
      console.log((await start()).url)`;
    const env = { ...process.env, DELAY_SERVER_URL: '', DELAY_SERVER_BINARY: binary };
    const url = execFileSync(process.execPath, ['--input-type=module', '-e', script], { env, timeout: 60_000 });
    await assert.rejects(new DelayServer(String(url).trim()).clock.state(), /no delay-server answers/);
  });

  test('a container', { skip: !image && 'no DELAY_SERVER_IMAGE' }, async (t) => {
    const started = await startWith(t, { DELAY_SERVER_IMAGE: image }, { TIME_SCALE: '0.5' });
    assert.equal((await started.clock.state()).scale, 0.5);
    await started.close();
    await assert.rejects(started.clock.state(), /no delay-server answers/);
    const invalid = startWith(t, { DELAY_SERVER_IMAGE: image }, { TIME_SCALE: 'fast' });
    await assert.rejects(invalid, /does not answer; its log: [^]*TIME_SCALE: "fast" is invalid/);
    await assert.rejects(startWith(t, { DELAY_SERVER_IMAGE: 'NO-IMAGE' }), /docker run: .*NO-IMAGE/);
  });

  test('settings', needsBinary, async (t) => {
    const started = await startWith(t, { DELAY_SERVER_BINARY: binary }, { TIME_SCALE: '0.5' });
    assert.equal((await started.clock.state()).scale, 0.5);
    const invalid = startWith(t, { DELAY_SERVER_BINARY: binary }, { TIME_SCALE: 'fast' });
    await assert.rejects(invalid, /did not start .exit status 2/);
  });

  test('a program in PATH', needsBinary, async (t) => {
    const folder = mkdtempSync(join(tmpdir(), 'delay-server-'));
    t.after(() => rmSync(folder, { recursive: true }));
    copyFileSync(binary, join(folder, 'delay-server'));
    const started = await startWith(t, { PATH: folder });
    await started.clock.state();
  });

  test('no program', async (t) => {
    const ways = /set DELAY_SERVER_URL, DELAY_SERVER_BINARY or DELAY_SERVER_IMAGE/;
    const folder = mkdtempSync(join(tmpdir(), 'delay-server-'));
    t.after(() => rmSync(folder, { recursive: true }));
    mkdirSync(join(folder, 'delay-server')); // no program
    for (const PATH of ['', folder]) await assert.rejects(startWith(t, { PATH }), ways);
    await assert.rejects(startWith(t, { DELAY_SERVER_BINARY: '/nowhere/delay-server' }), /ENOENT/);
    const other = startWith(t, { DELAY_SERVER_BINARY: process.execPath });
    await assert.rejects(other, /is no delay-server, or did not start .exit status \d+/);
  });
});
