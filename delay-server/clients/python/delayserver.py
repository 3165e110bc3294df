"""Test a client with delay-server: slow answers, faults and retries, without a stopwatch.

Copy this file into your project. It needs Python 3.9 or later and nothing else.

    with delayserver.start() as server:
        run = server.run()                       # groups the requests of this test
        fetch_with_retries(run.url("/delay/1?attempts=503,503,200"))
        run.check(attempts=3, backoff="100ms,2")  # or an AssertionError that draws the run

start() connects to DELAY_SERVER_URL, or starts the program or a container. For
unittest, use the class TestCase; for pytest, put into conftest.py:

    from delayserver import delay_server

A method that fails raises Problem, with the server's reason, or ConnectionError if no
server answers. Methods that wait end after DelayServer.timeout_seconds of real time.
All objects may be used from several threads.
"""

from __future__ import annotations

import atexit
import http.client
import json
import os
import re
import secrets
import shutil
import subprocess
import sys
import threading
import time
import unittest
import urllib.request
from urllib.parse import quote, urlencode, urlsplit


# A failed check shows the line of the test, not the lines of this file.
__tracebackhide__ = True  # for pytest
__unittest = True


class Problem(Exception):
    """An error reply of the server, from its problem document (RFC 9457).

    type is a name such as "run-not-found"; the server's page /problems/NAME explains
    it. status is the HTTP status code, detail says what was wrong and what is valid.
    Compare type, not detail: texts change.
    """

    def __init__(self, request: str, status: int, document: dict):
        self.type: str = document.get("type", "about:blank").rpartition("/")[2]
        self.title: str = document.get("title", "")
        self.status = status
        self.detail: str = document.get("detail", "")
        super().__init__(f"{request}: {status} {self.type}: {self.detail}")


def start(**settings: str) -> DelayServer:
    """Return a server for tests, by the first of these that is there:

    - the environment variable DELAY_SERVER_URL: a server that runs, and keeps running;
      DELAY_SERVER_TOKEN is its ADMIN_TOKEN, if it has one
    - DELAY_SERVER_BINARY: the path of the program, which is started at a free port
    - DELAY_SERVER_IMAGE: an image, which `docker run` starts at a free port
    - the program delay-server in PATH

    A server that start() started ends with close(), with the `with` statement, or with
    this process. Its settings are those given here, such as MAX_DELAY="1h"; the
    environment does not change them.
    """
    token = os.environ.get("DELAY_SERVER_TOKEN", "")
    url = os.environ.get("DELAY_SERVER_URL")
    if url:
        if settings:
            raise ValueError(f"the server at DELAY_SERVER_URL runs already: start it with {', '.join(settings)}")
        return DelayServer(url, token)
    token = token or secrets.token_hex()
    settings = {"ADMIN_TOKEN": token, "SHUTDOWN_TIMEOUT": "0s", "LOG_LEVEL": "warn", **settings}
    binary, image = os.environ.get("DELAY_SERVER_BINARY"), os.environ.get("DELAY_SERVER_IMAGE")
    if image and not binary:
        return _start_container(image, token, settings)
    binary = binary or shutil.which("delay-server")
    if not binary:
        raise FileNotFoundError(
            "no delay-server: set DELAY_SERVER_URL, DELAY_SERVER_BINARY or DELAY_SERVER_IMAGE, or put it into PATH"
        )
    return _start_binary(binary, token, settings)


_START_SECONDS = 30


def _start_binary(binary: str, token: str, settings: dict) -> DelayServer:
    settings = {**settings, "HOST": "127.0.0.1", "PORT": "0"}
    if "SYSTEMROOT" in os.environ:  # sockets of Windows need it
        settings["SYSTEMROOT"] = os.environ["SYSTEMROOT"]
    process = subprocess.Popen(
        [binary], env=settings, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, encoding="utf-8"
    )

    def stop() -> None:
        process.terminate()
        process.wait()
        process.stdout.close()

    # The address is in the first line; the little that follows fits into the pipe.
    silent = threading.Timer(_START_SECONDS, process.kill)
    silent.start()
    line = process.stdout.readline()
    silent.cancel()
    found = re.search(r"open http://\S+:(\d+)/", line)
    if not found:
        stop()
        raise RuntimeError(f"{binary} is no delay-server, or did not start (exit status {process.returncode}): {line}")
    return DelayServer(f"http://127.0.0.1:{found[1]}", token, stop)


def _start_container(image: str, token: str, settings: dict) -> DelayServer:
    command = ["run", "--detach", "--publish", "127.0.0.1::3000"]
    for name in settings:
        command += ["--env", name]  # docker reads the values from its environment: no list of processes shows the token
    container = _docker(*command, image, env={**os.environ, **settings})

    def stop() -> None:
        _docker("rm", "--force", "--volumes", container)

    try:
        deadline = time.monotonic() + _START_SECONDS
        while True:
            port = _docker("port", container, "3000/tcp").rpartition(":")[2]
            if not port:
                raise ChildProcessError("the container has ended")
            server = DelayServer(f"http://127.0.0.1:{port}", token)
            try:
                server.clock.state()
                return DelayServer(server.url, token, stop)
            except ConnectionError:
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.05)
    except Exception as error:
        log = _docker("logs", container)
        stop()
        raise RuntimeError(f"container of {image} does not answer; its log: {log}") from error


def _docker(*command: str, env: dict | None = None) -> str:
    done = subprocess.run(["docker", *command], env=env, capture_output=True, text=True, encoding="utf-8")
    if done.returncode != 0:
        raise RuntimeError(f"docker {command[0]}: {done.stderr.strip()}")
    return (done.stdout + done.stderr).strip()


# Neither follows redirects nor uses HTTP_PROXY: no other server should see the token.
_http = urllib.request.OpenerDirector()
_http.add_handler(urllib.request.HTTPHandler())
_http.add_handler(urllib.request.HTTPSHandler())


class DelayServer:
    """A running delay-server. Get it from start(), or from its URL and ADMIN_TOKEN."""

    def __init__(self, url: str, token: str = "", stop=None):
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc or set("?#") & set(url):
            raise ValueError(f'URL of delay-server "{url}" is invalid: use http://HOST:PORT or https://HOST:PORT')
        self.url = url.rstrip("/")
        self.timeout_seconds = 10.0  # for each method that waits
        self._token = token
        self._stop = stop
        if stop:
            atexit.register(self.close)

    def close(self) -> None:
        """Stop the server, if start() started it. Requests that wait are answered 503."""
        stop, self._stop = self._stop, None
        if stop:
            atexit.unregister(self.close)
            stop()

    def __enter__(self) -> DelayServer:
        return self

    def __exit__(self, *_) -> None:
        self.close()

    def delay_url(self, seconds: float) -> str:
        """Return a URL that is answered after some time on the server's clock."""
        return f"{self.url}/delay/{_milliseconds(seconds)}"

    def barrier_url(self, name: str, parties: int) -> str:
        """Return a URL that is answered once this number of requests (parties) have arrived.

        If they have not after 10 s on the server's clock, it is answered 504.
        """
        return f"{self.url}/barrier/{_segment(name)}?parties={parties}"

    def hold(self, name: str) -> Hold:
        """Return the hold of this name, which all tests of the server share. See Run.hold()."""
        return Hold(self, name, f"{self.url}/hold/{_segment(name)}", {})

    def run(self, id: str | None = None) -> Run:
        """Return the run of this ID, 1 to 200 visible ASCII characters; by default a unique one."""
        return Run(self, id or f"run-{secrets.token_hex(8)}")

    @property
    def clock(self) -> Clock:
        """The clock of the server's delays, timeouts and runs. It does not affect the code under test."""
        return Clock(self, ("clock",))

    def scenario(self, yaml: str) -> None:
        """Replace the routes of the server's scenario, which take precedence over its endpoints.

        Raises Problem invalid-scenario, whose detail has each error with its line.
        """
        self._call("PUT", "scenario", body=yaml.encode())

    def check_runs(self, prefix: str, **checks) -> None:
        """Raise AssertionError unless all runs whose IDs begin with prefix meet the checks. See Run.check().

        A back-off with jitter is judged by the distribution of all their waits.
        """
        self._judge("check", checks={"run_prefix": prefix, **checks})

    def forget_runs(self) -> None:
        """Forget all runs, as Run.forget() does."""
        self._call("DELETE", "runs")

    def reset(self) -> None:
        """Reset all state of the server, for example between two tests.

        Runs are forgotten, requests in holds and at barriers are answered 503, the scenario is the file of SCENARIO
        again, and the clock runs by TIME_SCALE.
        """
        self._call("POST", "reset")

    def _judge(self, *path: str, checks: dict) -> None:
        verdict = self._await(*path, **{name: _text(value) for name, value in checks.items()})
        if not verdict["ok"]:
            wrong = [c for c in verdict["checks"] if not c["ok"]]
            lines = [f"{c['check']}: {c['detail']}\n  want {c['want']}\n  got  {c['got']}" for c in wrong]
            raise AssertionError("\n".join([*lines, verdict["waterfall"]]))

    def _await(self, *path: str, **condition) -> dict:
        return self._call("GET", *path, query={**condition, "timeout": f"{_milliseconds(self.timeout_seconds)}ms"})

    def _call(self, method: str, *path: str, query: dict | None = None, body: bytes | None = None):
        """Return the decoded reply to a request to /admin/PATH."""
        return json.loads(self._send(method, *path, query=query, body=body) or "null")

    def _send(
        self,
        method: str,
        *path: str,
        query: dict | None = None,
        body: bytes | None = None,
        media_type: str = "application/json",
    ) -> str:
        """Return the body of the reply, which must be of this media type."""
        url = "/".join([self.url, "admin", *map(_segment, path)])
        if query:
            url += "?" + urlencode(query)
        request = urllib.request.Request(url, body, method=method)
        if self._token:
            request.add_header("Authorization", f"Bearer {self._token}")
        try:
            # The server ends a wait first, with a Problem that says what it waited for.
            with _http.open(request, timeout=self.timeout_seconds + 10) as reply:
                status, got, text = reply.status, reply.headers.get_content_type(), reply.read().decode()
        except (OSError, http.client.HTTPException) as error:
            reason = getattr(error, "reason", error)
            raise ConnectionError(f"{method} {url}: no delay-server answers: {reason}") from error
        if got == "application/problem+json":
            raise Problem(f"{method} {url}", status, json.loads(text))
        if status != 204 and (status not in (200, 422) or got != media_type):  # 422 is a verdict
            what = f"unexpected reply {status} {got} (is this a delay-server?): {text[:200]}"
            raise ConnectionError(f"{method} {url}: {what}")
        return text


class Hold:
    """Keeps requests to its url waiting until the test releases them. Get it from Run.hold() or DelayServer.hold().

    A request that is not released is answered 504 after MAX_DELAY on the server's clock.
    """

    def __init__(self, server: DelayServer, name: str, url: str, query: dict):
        self.url = url
        self._server = server
        self._name = name
        self._query = query

    def wait_for(self, n: int) -> None:
        """Return once at least n requests are held."""
        self._server._await("holds", self._name, waiting=n, **self._query)

    def release(
        self,
        count: int | None = None,
        *,
        order: str | None = None,
        nth: int | None = None,
        attempt: int | None = None,
    ) -> int:
        """Answer held requests and return their number: all, or by choice

        - count: that many, the oldest first, or with order="newest" the newest
        - nth: only this one, in order of arrival, from 1
        - attempt: only those with this attempt number

        Raises Problem hold-not-found if no request is held: call wait_for() before. Raises Problem too-few-held, and
        answers none, if the hold lacks the chosen requests.
        """
        choice = {"count": count, "order": order, "nth": nth, "attempt": attempt}
        query = {name: value for name, value in choice.items() if value is not None}
        return self._server._call("POST", "holds", self._name, "release", query={**query, **self._query})["released"]

    def fail(self) -> int:
        """Answer all held requests with 503 and return their number."""
        return self._server._call("DELETE", "holds", self._name, query=self._query)["failed"]


class Run:
    """A group of requests, made with its URLs or its header X-Run-Id. Get it from DelayServer.run()."""

    def __init__(self, server: DelayServer, id: str):
        self.id = id
        self.headers = {"X-Run-Id": id}
        self._server = server

    def url(self, url: str) -> str:
        """Return a URL of the server, or a path such as /delay/100?status=503, with the run added to its query."""
        if url.startswith("/"):
            url = self._server.url + url
        return f"{url}{'&' if '?' in url else '?'}{urlencode({'run': self.id})}"

    def delay_url(self, seconds: float) -> str:
        """Return DelayServer.delay_url() with the run added."""
        return self.url(self._server.delay_url(seconds))

    def barrier_url(self, name: str, parties: int) -> str:
        """Return a URL as DelayServer.barrier_url() does, at a barrier for this run alone."""
        return self.url(self._server.barrier_url(f"run:{name}", parties))

    def hold(self, name: str) -> Hold:
        """Return a hold for this run alone. Forgetting the run answers its requests 503."""
        hold = self._server.hold(f"run:{name}")
        return Hold(self._server, f"run:{name}", self.url(hold.url), {"run": self.id})

    @property
    def clock(self) -> Clock:
        """A clock for this run alone, so that parallel tests can share a server.

        freeze(), unfreeze(), scale() and reset() create it. Call one before the run's first request. Forgetting the
        run removes it.
        """
        return Clock(self._server, ("runs", self.id, "clock"))

    def wait_for(self, n: int) -> dict:
        """Return the run, as settled() does, once at least n of its requests wait."""
        return self._server._await("runs", self.id, waiting=n)

    def settled(self) -> dict:
        """Return the run once all its requests have ended: requests, peak_in_flight, waits and more.

        /openapi.yaml has all keys, at `Run`. Raises Problem run-not-found if the run has no requests.
        """
        return self._server._await("runs", self.id, settled="true")

    def check(self, **checks) -> None:
        """Wait until all requests have ended; raise AssertionError unless all checks hold.

        The server's page /doc#checks lists the checks:

            run.check(statuses=[503, 503, 200], backoff="100ms,2", within="50ms")

        The error says what is wrong, and draws the run. All checks fail if the run has no requests, or if some still
        wait at the end of the timeout. Raises Problem unknown-parameter, invalid-parameter or conflicting-parameters if
        a check is wrong.
        """
        self._server._judge("runs", self.id, "check", checks=checks)

    def scenario(self, yaml: str) -> None:
        """Lay routes over the server's, for requests of this run alone, until it is forgotten.

        The run need not have started. Raises Problem invalid-scenario, whose detail has each error with its line.
        """
        self._server._call("PUT", "runs", self.id, "scenario", body=yaml.encode())

    def waterfall(self) -> str:
        """Return the run drawn as text, with a bar for each request."""
        return self._server._send("GET", "runs", self.id, "waterfall.txt", media_type="text/plain")

    def forget(self) -> None:
        """Remove the run from the server, with its clock and its scenario. Requests in its holds are answered 503."""
        self._server._call("DELETE", "runs", self.id)


class Clock:
    """Controls the time of the server's delays. Get it from DelayServer.clock or Run.clock.

    Methods return the clock: scale, frozen, waiting, elapsed_ms and, if requests wait, next_ms.
    """

    def __init__(self, server: DelayServer, path: tuple):
        self._server = server
        self._path = path

    def state(self) -> dict:
        """Return the clock as it is now."""
        return self._server._call("GET", *self._path)

    def wait_for(self, n: int) -> dict:
        """Return once at least n requests wait for a time on the clock."""
        return self._server._await(*self._path, waiting=n)

    def freeze(self) -> dict:
        """Stop the clock. Time then passes only by advance()."""
        return self._set(freeze=True)

    def unfreeze(self) -> dict:
        """Let the clock continue from its current time."""
        return self._set(freeze=False)

    def advance(self, seconds: float) -> dict:
        """Move a frozen clock forward; return once all requests due by then have been answered.

        Call wait_for() before, so that the requests have arrived.
        """
        return self._set(advance=f"{_milliseconds(seconds)}ms")

    def scale(self, factor: float) -> dict:
        """Multiply each wait: 0.1 is ten times as fast."""
        return self._set(scale=factor)

    def reset(self) -> dict:
        """Unfreeze the clock and set its scale to the server's TIME_SCALE."""
        return self._set(reset=True)

    def _set(self, **command) -> dict:
        return self._server._call("POST", *self._path, body=json.dumps(command).encode())


def _milliseconds(seconds: float) -> str:
    """Return a decimal number, exact to the nanosecond: 1000, 0.25."""
    return f"{seconds * 1000:.6f}".rstrip("0").rstrip(".")


def _text(value) -> str:
    """Return the value of a check as the server reads it: 503,200 for a list."""
    return ",".join(map(str, value)) if isinstance(value, (list, tuple)) else str(value)


def _segment(name: str) -> str:
    if name in ("", ".", ".."):
        raise ValueError(f'name "{name}" is invalid: it would change the path of the request')
    return quote(name, safe="")


class TestCase(unittest.TestCase):
    """A unittest.TestCase whose server runs while the tests of the class do."""

    server: DelayServer

    @classmethod
    def setUpClass(cls) -> None:
        super().setUpClass()
        cls.server = start()
        cls.addClassCleanup(cls.server.close)


if "pytest" in sys.modules:
    import pytest

    @pytest.fixture(scope="session")
    def delay_server():
        """A server for all tests of the session."""
        with start() as server:
            yield server
