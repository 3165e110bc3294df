/**
 * Test a client with delay-server: slow answers, faults and retries, without a stopwatch.
 *
 * Copy this file into your project. It needs Node 18 or later and nothing else, and works
 * with every test runner. With node:test:
 *
 *     const server = await start();
 *     after(() => server.close());
 *
 *     test('the client retries', async () => {
 *       const run = server.run(); // groups the requests of this test
 *       await fetchWithRetries(run.url('/delay/1?attempts=503,503,200'));
 *       await run.check({ attempts: 3, backoff: '100ms,2' }); // or an AssertionError that draws the run
 *     });
 *
 * start() connects to DELAY_SERVER_URL, or starts the program or a container.
 *
 * A method that fails rejects with a Problem, which has the server's reason, or with another
 * Error if no server answers. Methods that wait end after timeoutMs of real time.
 */

import { AssertionError } from 'node:assert';
import { spawn, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { accessSync, constants, statSync } from 'node:fs';
import http from 'node:http';
import https from 'node:https';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';

/**
 * An error reply of the server, from its problem document (RFC 9457).
 *
 * type is a name such as "run-not-found"; the server's page /problems/NAME explains it.
 * status is the HTTP status code, detail says what was wrong and what is valid. Compare type,
 * not detail: texts change.
 */
export class Problem extends Error {
  constructor(request, status, { type = 'about:blank', title = '', detail = '' }) {
    const name = type.slice(type.lastIndexOf('/') + 1);
    super(`${request}: ${status} ${name}: ${detail}`);
    Object.assign(this, { name: 'Problem', type: name, title, status, detail });
  }
}

const startMs = 30_000;

/**
 * Returns a server for tests, by the first of these that is there:
 *
 * - the environment variable DELAY_SERVER_URL: a server that runs, and keeps running;
 *   DELAY_SERVER_TOKEN is its ADMIN_TOKEN, if it has one
 * - DELAY_SERVER_BINARY: the path of the program, which is started at a free port
 * - DELAY_SERVER_IMAGE: an image, which `docker run` starts at a free port
 * - the program delay-server in PATH
 *
 * A server that start() started ends with close(). The program also ends with this process.
 * Its settings are those given here, such as { MAX_DELAY: '1h' }; the environment does not
 * change them.
 */
export async function start(settings = {}) {
  const { DELAY_SERVER_URL: url, DELAY_SERVER_BINARY: binary, DELAY_SERVER_IMAGE: image } = process.env;
  if (url) {
    const names = Object.keys(settings).join(', ');
    if (names) throw new TypeError(`the server at DELAY_SERVER_URL runs already: start it with ${names}`);
    return new DelayServer(url, process.env.DELAY_SERVER_TOKEN);
  }
  const token = process.env.DELAY_SERVER_TOKEN || randomBytes(16).toString('hex');
  settings = { ADMIN_TOKEN: token, SHUTDOWN_TIMEOUT: '0s', LOG_LEVEL: 'warn', ...settings };
  if (image && !binary) return startContainer(image, token, settings);
  return startBinary(binary || inPath('delay-server'), token, settings);
}

function inPath(name) {
  for (const folder of (process.env.PATH ?? '').split(delimiter).filter(Boolean)) {
    const file = join(folder, process.platform === 'win32' ? `${name}.exe` : name);
    try {
      accessSync(file, constants.X_OK);
      if (statSync(file).isFile()) return file;
    } catch {}
  }
  throw new Error(
    `no ${name}: set DELAY_SERVER_URL, DELAY_SERVER_BINARY or DELAY_SERVER_IMAGE, or put it into PATH`,
  );
}

async function startBinary(binary, token, settings) {
  const env = { ...settings, HOST: '127.0.0.1', PORT: '0' };
  const child = spawn(binary, { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const ended = new Promise((resolve) => child.on('close', resolve));
  const silent = setTimeout(() => child.kill(), startMs);
  const port = await new Promise((resolve, reject) => {
    let text = ''; // has the address in its first line
    child.stdout.setEncoding('utf8').on('data', (part) => {
      text += part;
      const found = /^.*open http:\/\/\S+:(\d+)\//.exec(text);
      if (found) resolve(found[1]);
      else if (text.includes('\n')) child.kill();
    });
    child.on('error', reject).on('close', (code, signal) => {
      const why = signal ?? `exit status ${code}`;
      reject(new Error(`${binary} is no delay-server, or did not start (${why}): ${text.slice(0, 200)}`));
    });
  }).finally(() => clearTimeout(silent));
  child.unref(); // this process may end before close()
  child.stdout.unref();
  return new DelayServer(`http://127.0.0.1:${port}`, token, () => {
    child.ref();
    child.kill();
    return ended;
  });
}

async function startContainer(image, token, settings) {
  // docker reads the values from its environment: no list of processes shows the token
  const names = Object.keys(settings).flatMap((name) => ['--env', name]);
  const container = docker(['run', '--detach', '--publish', '127.0.0.1::3000', ...names, image], settings);
  const stop = () => docker(['rm', '--force', '--volumes', container]);
  try {
    for (const deadline = Date.now() + startMs; ; await sleep(50)) {
      const port = docker(['port', container, '3000/tcp']).split(':').at(-1);
      if (!port) throw new Error('the container has ended');
      const { url, clock } = new DelayServer(`http://127.0.0.1:${port}`, token);
      try {
        await clock.state();
        return new DelayServer(url, token, stop);
      } catch (error) {
        if (error instanceof Problem || Date.now() > deadline) throw error;
      }
    }
  } catch (cause) {
    const log = docker(['logs', container]);
    stop();
    throw new Error(`container of ${image} does not answer; its log: ${log}`, { cause });
  }
}

function docker(args, settings) {
  const done = spawnSync('docker', args, { env: { ...process.env, ...settings }, encoding: 'utf8' });
  if (done.error) throw done.error;
  if (done.status !== 0) throw new Error(`docker ${args[0]}: ${done.stderr.trim()}`);
  return (done.stdout + done.stderr).trim();
}

/** A running delay-server. Get it from start(), or from its URL and ADMIN_TOKEN. */
export class DelayServer {
  #token;
  #stop;

  /** For each method that waits. */
  timeoutMs = 10_000;

  constructor(url, token = '', stop = undefined) {
    let parts;
    try {
      parts = new URL(url);
    } catch {}
    if (!/^https?:$/.test(parts?.protocol) || parts.username || parts.password || /[?#]/.test(url)) {
      throw new TypeError(`URL of delay-server "${url}" is invalid: use http://HOST:PORT or https://HOST:PORT`);
    }
    this.url = url.replace(/\/+$/, '');
    this.#token = token;
    this.#stop = stop;
    if (stop) process.on('exit', stop);
  }

  /** Stops the server, if start() started it. Requests that wait are answered 503. */
  async close() {
    const stop = this.#stop;
    this.#stop = undefined;
    if (!stop) return;
    process.off('exit', stop);
    await stop();
  }

  /** Returns a URL that is answered after some milliseconds on the server's clock. */
  delayUrl(ms) {
    return `${this.url}/delay/${milliseconds(ms)}`;
  }

  /**
   * Returns a URL that is answered once this number of requests (parties) have arrived. If they
   * have not after 10 s on the server's clock, it is answered 504.
   */
  barrierUrl(name, parties) {
    return `${this.url}/barrier/${segment(name)}?parties=${parties}`;
  }

  /** Returns the hold of this name, which all tests of the server share. See Run.hold(). */
  hold(name) {
    return new Hold(this, name, `${this.url}/hold/${segment(name)}`, {});
  }

  /** Returns the run of this ID, 1 to 200 visible ASCII characters; by default a unique one. */
  run(id = `run-${randomBytes(8).toString('hex')}`) {
    return new Run(this, id);
  }

  /** The clock of the server's delays, timeouts and runs. It does not affect the code under test. */
  get clock() {
    return new Clock(this, ['clock']);
  }

  /**
   * Replaces the routes of the server's scenario, which take precedence over its endpoints.
   * Rejects with Problem invalid-scenario, whose detail has each error with its line.
   */
  async scenario(yaml) {
    await this.call('PUT', ['scenario'], { body: yaml });
  }

  /**
   * Rejects with an AssertionError unless all runs whose IDs begin with prefix meet the checks.
   * See Run.check(). A back-off with jitter is judged by the distribution of all their waits.
   */
  checkRuns(prefix, checks) {
    return judge(this, ['check'], { run_prefix: prefix, ...checks });
  }

  /** Forgets all runs, as Run.forget() does. */
  async forgetRuns() {
    await this.call('DELETE', ['runs']);
  }

  /**
   * Resets all state of the server, for example between two tests. Runs are forgotten, requests
   * in holds and at barriers are answered 503, the scenario is the file of SCENARIO again, and the
   * clock runs by TIME_SCALE.
   */
  async reset() {
    await this.call('POST', ['reset']);
  }

  /**
   * Calls the admin API at /admin/PATH; path is a list of segments, body a string. Resolves to
   * the reply: JSON decoded, text as it is. The other methods use it.
   */
  async call(method, path, { query = {}, body, mediaType = 'application/json' } = {}) {
    let url = [this.url, 'admin', ...path.map(segment)].join('/');
    const search = new URLSearchParams(query).toString();
    if (search) url += `?${search}`;
    const headers = this.#token ? { Authorization: `Bearer ${this.#token}` } : {};
    // The server ends a wait first, with a Problem that says what it waited for.
    const signal = AbortSignal.timeout(this.timeoutMs + 10_000);
    let reply, text;
    try {
      [reply, text] = await exchange(url, { method, headers, signal, agent: false }, body);
    } catch (cause) {
      const reason = signal.aborted ? 'time-out' : (cause.code ?? cause.message);
      throw new Error(`${method} ${url}: no delay-server answers: ${reason}`, { cause });
    }
    const status = reply.statusCode;
    const got = reply.headers['content-type']?.split(';')[0];
    if (got === 'application/problem+json') throw new Problem(`${method} ${url}`, status, JSON.parse(text));
    if (status === 204) return undefined;
    if (![200, 422].includes(status) || got !== mediaType) { // 422 is a verdict
      const what = `unexpected reply ${status} ${got} (is this a delay-server?): ${text.slice(0, 200)}`;
      throw new Error(`${method} ${url}: ${what}`);
    }
    return mediaType === 'application/json' ? JSON.parse(text) : text;
  }
}

/**
 * Resolves to the reply and its text. It does not use fetch: in Node 20, that waits forever if
 * the server closes a connection at once, as Docker does while a container starts.
 */
function exchange(url, options, body) {
  return new Promise((resolve, reject) => {
    const { request } = url.startsWith('https:') ? https : http;
    const sent = request(url, options, (reply) => {
      let text = '';
      reply.setEncoding('utf8').on('data', (part) => (text += part));
      reply.on('end', () => resolve([reply, text])).on('error', reject);
    });
    sent.on('error', reject).end(body);
  });
}

/**
 * Keeps requests to its url waiting until the test releases them. Get it from Run.hold() or
 * DelayServer.hold(). A request that is not released is answered 504 after MAX_DELAY on the
 * server's clock.
 */
class Hold {
  #server;
  #name;
  #query;

  constructor(server, name, url, query) {
    this.url = url;
    this.#server = server;
    this.#name = name;
    this.#query = query;
  }

  /** Resolves once at least n requests are held. */
  async waitFor(n) {
    await awaits(this.#server, ['holds', this.#name], { waiting: n, ...this.#query });
  }

  /**
   * Answers held requests, and resolves to their number: all, or by choice
   *
   * - { count: 2 }, or just 2: that many, the oldest first, or with order: 'newest' the newest
   * - { nth: 2 }: only this one, in order of arrival, from 1
   * - { attempt: 2 }: only those with this attempt number
   *
   * Rejects with Problem hold-not-found if no request is held: call waitFor() before. Rejects
   * with Problem too-few-held, and answers none, if the hold lacks the chosen requests.
   */
  async release(choice = {}) {
    if (typeof choice === 'number') choice = { count: choice };
    const query = { ...choice, ...this.#query };
    return (await this.#server.call('POST', ['holds', this.#name, 'release'], { query })).released;
  }

  /** Answers all held requests with 503. Resolves to their number. */
  async fail() {
    return (await this.#server.call('DELETE', ['holds', this.#name], { query: this.#query })).failed;
  }
}

/** A group of requests, made with its URLs or its header X-Run-Id. Get it from DelayServer.run(). */
class Run {
  #server;

  constructor(server, id) {
    this.id = id;
    this.headers = { 'X-Run-Id': id };
    this.#server = server;
  }

  /** Returns a URL of the server, or a path such as /delay/100?status=503, with the run added to its query. */
  url(url) {
    if (url.startsWith('/')) url = this.#server.url + url;
    return `${url}${url.includes('?') ? '&' : '?'}${new URLSearchParams({ run: this.id })}`;
  }

  /** Returns DelayServer.delayUrl() with the run added. */
  delayUrl(ms) {
    return this.url(this.#server.delayUrl(ms));
  }

  /** Returns a URL as DelayServer.barrierUrl() does, at a barrier for this run alone. */
  barrierUrl(name, parties) {
    return this.url(this.#server.barrierUrl(`run:${name}`, parties));
  }

  /** Returns a hold for this run alone. Forgetting the run answers its requests 503. */
  hold(name) {
    const { url } = this.#server.hold(`run:${name}`);
    return new Hold(this.#server, `run:${name}`, this.url(url), { run: this.id });
  }

  /**
   * A clock for this run alone, so that parallel tests can share a server. freeze(), unfreeze(),
   * scale() and reset() create it. Call one before the run's first request. Forgetting the run
   * removes it.
   */
  get clock() {
    return new Clock(this.#server, ['runs', this.id, 'clock']);
  }

  /** Resolves to the run, as settled() does, once at least n of its requests wait. */
  waitFor(n) {
    return awaits(this.#server, ['runs', this.id], { waiting: n });
  }

  /**
   * Resolves to the run once all its requests have ended: requests, peak_in_flight, waits and
   * more; /openapi.yaml has all keys, at `Run`. Rejects with Problem run-not-found if the run has
   * no requests.
   */
  settled() {
    return awaits(this.#server, ['runs', this.id], { settled: true });
  }

  /**
   * Waits until all requests have ended, and rejects with an AssertionError unless all checks
   * hold. The server's page /doc#checks lists the checks:
   *
   *     await run.check({ statuses: [503, 503, 200], backoff: '100ms,2', within: '50ms' });
   *
   * The error says what is wrong, and draws the run. All checks fail if the run has no requests,
   * or if some still wait at the end of the timeout. Rejects with Problem unknown-parameter,
   * invalid-parameter or conflicting-parameters if a check is wrong.
   */
  check(checks) {
    return judge(this.#server, ['runs', this.id, 'check'], checks);
  }

  /**
   * Lays routes over the server's, for requests of this run alone, until it is forgotten. The
   * run need not have started. Rejects with Problem invalid-scenario, whose detail has each error
   * with its line.
   */
  async scenario(yaml) {
    await this.#server.call('PUT', ['runs', this.id, 'scenario'], { body: yaml });
  }

  /** Resolves to the run drawn as text, with a bar for each request. */
  waterfall() {
    return this.#server.call('GET', ['runs', this.id, 'waterfall.txt'], { mediaType: 'text/plain' });
  }

  /**
   * Removes the run from the server, with its clock and its scenario. Requests in its holds are
   * answered 503.
   */
  async forget() {
    await this.#server.call('DELETE', ['runs', this.id]);
  }
}

/**
 * Controls the time of the server's delays. Get it from DelayServer.clock or Run.clock.
 * Methods resolve to the clock: scale, frozen, waiting, elapsed_ms and, if requests wait, next_ms.
 */
class Clock {
  #server;
  #path;

  constructor(server, path) {
    this.#server = server;
    this.#path = path;
  }

  /** Resolves to the clock as it is now. */
  state() {
    return this.#server.call('GET', this.#path);
  }

  /** Resolves once at least n requests wait for a time on the clock. */
  waitFor(n) {
    return awaits(this.#server, this.#path, { waiting: n });
  }

  /** Stops the clock. Time then passes only by advance(). */
  freeze() {
    return this.#set({ freeze: true });
  }

  /** Lets the clock continue from its current time. */
  unfreeze() {
    return this.#set({ freeze: false });
  }

  /**
   * Moves a frozen clock forward. Resolves once all requests due by then have been answered.
   * Call waitFor() before, so that the requests have arrived.
   */
  advance(ms) {
    return this.#set({ advance: `${milliseconds(ms)}ms` });
  }

  /** Multiplies each wait: 0.1 is ten times as fast. */
  scale(factor) {
    return this.#set({ scale: factor });
  }

  /** Unfreezes the clock and sets its scale to the server's TIME_SCALE. */
  reset() {
    return this.#set({ reset: true });
  }

  #set(command) {
    return this.#server.call('POST', this.#path, { body: JSON.stringify(command) });
  }
}

/** Resolves to the reply of the admin API once a condition holds. */
function awaits(server, path, condition) {
  return server.call('GET', path, { query: { ...condition, timeout: `${milliseconds(server.timeoutMs)}ms` } });
}

async function judge(server, path, checks) {
  const verdict = await awaits(server, path, checks);
  if (verdict.ok) return;
  const wrong = verdict.checks.filter((c) => !c.ok);
  const lines = wrong.map((c) => `${c.check}: ${c.detail}\n  want ${c.want}\n  got  ${c.got}`);
  throw new AssertionError({ message: [...lines, verdict.waterfall].join('\n') });
}

/** Returns a decimal number, exact to the nanosecond: 1000, 0.25. */
function milliseconds(ms) {
  return ms.toFixed(6).replace(/\.?0+$/, '');
}

function segment(name) {
  if (['', '.', '..'].includes(name)) {
    throw new TypeError(`name "${name}" is invalid: it would change the path of the request`);
  }
  return encodeURIComponent(name);
}
