"""Tests of delayserver.py. A server at DELAY_SERVER_URL needs an ADMIN_TOKEN, in DELAY_SERVER_TOKEN."""

from __future__ import annotations

import http.server
import os
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
import unittest
import unittest.mock
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import delayserver


def get(url: str, headers: dict | None = None) -> int:
    """Return the status of the answer."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers or {}), timeout=60) as reply:
            return reply.status
    except urllib.error.HTTPError as reply:
        with reply:
            return reply.code


def get_with_retries(url: str, tries: int, pause_seconds: float) -> int:
    """The client under test: it retries a 503 after a pause that doubles."""
    status = get(url)
    while status == 503 and tries > 1:
        time.sleep(pause_seconds)
        status, tries, pause_seconds = get(url), tries - 1, 2 * pause_seconds
    return status


class CheckTest(delayserver.TestCase):
    """Prove that a client retries well."""

    def test_the_client_backs_off(self):
        run = self.server.run()
        url = run.url("/delay/1?attempts=503,503,200")
        self.assertEqual(get_with_retries(url, tries=3, pause_seconds=0.02), 200)
        run.check(statuses=[503, 503, 200], backoff="20ms,2", within="5s")

    def test_a_client_that_does_not_back_off(self):
        run = self.server.run()
        get_with_retries(run.url("/delay/1?attempts=503"), tries=3, pause_seconds=0)
        with self.assertRaises(AssertionError) as caught:
            run.check(attempts=4, backoff="1h,2")
        text = str(caught.exception)
        self.assertRegex(text, r"^attempts: .*must.*\n  want 4\n  got  3\nbackoff: .*must wait .*or more\n  want")
        self.assertRegex(text, r"\nGET /delay/1 .*503\n  < .*want 4")  # the place is marked

    def test_many_runs(self):
        prefix = self.server.run().id
        for i in range(3):
            get(self.server.run(f"{prefix}-{i}").delay_url(0))
        self.server.check_runs(prefix, attempts=1)
        with self.assertRaisesRegex(AssertionError, f"^attempts: (.*\\n)*run {prefix}-0"):
            self.server.check_runs(prefix, attempts=2)

    def test_an_invalid_check(self):
        run = self.server.run()
        get(run.delay_url(0))
        for checks, problem in (
            ({"attemps": 4}, "unknown-parameter"),
            ({"attempts": "four"}, "invalid-parameter"),
            ({"attempts": 4, "statuses": [200]}, "conflicting-parameters"),
            ({}, "invalid-parameter"),
        ):
            with self.subTest(checks), self.assertRaises(delayserver.Problem) as caught:
                run.check(**checks)
            self.assertEqual(caught.exception.type, problem)

    def test_a_run_without_requests(self):
        run = self.server.run()
        text = f'^attempts: run "{run.id}" not found: .*\n  want 1\n  got  no request\n'
        with self.assertRaisesRegex(AssertionError, text):
            run.check(attempts=1)
        with self.assertRaisesRegex(AssertionError, f'^attempts: no run begins with "{run.id}"'):
            self.server.check_runs(run.id, attempts=1)


class ScenarioTest(delayserver.TestCase):
    """Routes of a run and of the server."""

    def test_a_run_has_its_own_routes(self):
        run, other = self.server.run(), self.server.run()
        run.scenario("routes: [{path: /prices, delay: 1ms, status: 503}]")
        self.assertEqual(get(run.url("/prices")), 503)
        self.assertEqual(get(other.url("/prices")), 404)
        run.check(statuses=[503])

    def test_the_server_has_routes(self):
        self.addCleanup(self.server.reset)
        self.server.scenario("routes: [{path: /prices, delay: 1ms, status: 418}]")
        self.assertEqual(get(self.server.url + "/prices"), 418)

    def test_an_invalid_scenario(self):
        for put in self.server.scenario, self.server.run().scenario:
            with self.assertRaises(delayserver.Problem) as caught:
                put("routes:\n  - {path: /a, delay: soon}")
            self.assertEqual(caught.exception.type, "invalid-scenario")
            self.assertRegex(caught.exception.detail, ":2:.*soon")


class ServerTest(delayserver.TestCase):
    """Decide when requests are answered, and see which of them ran at once."""

    def setUp(self):
        self.threads = ThreadPoolExecutor(8)
        self.addCleanup(self.threads.shutdown)

    def test_a_hold_keeps_requests_until_they_are_released(self):
        run = self.server.run()
        hold = run.hold("prices")
        replies = [self.threads.submit(get, hold.url) for _ in range(3)]
        hold.wait_for(3)
        for wrong, problem in (
            (lambda: hold.release(4), "too-few-held"),
            (self.server.run().hold("prices").release, "hold-not-found"),
        ):
            with self.assertRaises(delayserver.Problem) as caught:
                wrong()
            self.assertEqual(caught.exception.type, problem)
        self.assertEqual(hold.release(1), 1)
        self.assertEqual(hold.release(), 2)
        self.assertEqual([r.result() for r in replies], [200, 200, 200])
        self.assertEqual(run.settled()["peak_in_flight"], 3)

    def test_a_hold_releases_by_choice(self):
        hold = self.server.run().hold("prices")
        replies = []
        for n in range(1, 6):
            replies.append(self.threads.submit(get, hold.url))
            hold.wait_for(n)
        self.assertEqual(hold.release(order="newest"), 1)
        self.assertEqual(replies[4].result(), 200)
        self.assertEqual(hold.release(nth=2), 1)
        self.assertEqual(replies[1].result(), 200)
        self.assertEqual(hold.release(attempt=3), 1)
        self.assertEqual(replies[2].result(), 200)
        self.assertEqual(hold.release(2, order="newest"), 2)

    def test_a_hold_that_fails_answers_503(self):
        run = self.server.run()
        reply = self.threads.submit(get, run.hold("prices").url)
        run.wait_for(1)
        self.assertEqual(run.hold("prices").fail(), 1)
        self.assertEqual(reply.result(), 503)

    def test_a_hold_of_the_server(self):
        hold = self.server.hold(self.server.run().id)
        replies = [self.threads.submit(get, hold.url) for _ in range(2)]
        hold.wait_for(2)
        self.assertEqual(hold.release(1), 1)
        self.assertEqual(hold.fail(), 1)
        self.assertEqual(sorted(r.result() for r in replies), [200, 503])

    def test_a_barrier_answers_when_all_have_arrived(self):
        run = self.server.run()
        self.assertEqual(list(self.threads.map(get, [run.barrier_url("all", parties=3)] * 3)), [200, 200, 200])
        self.assertEqual(list(self.threads.map(get, [self.server.barrier_url(run.id, parties=2)] * 2)), [200, 200])
        self.assertEqual(run.settled()["requests"], 3)

    def test_the_clock_of_the_server(self):
        run, clock = self.server.run(), self.server.clock
        self.addCleanup(clock.reset)
        self.assertTrue(clock.freeze()["frozen"])
        reply = self.threads.submit(get, run.delay_url(90))
        clock.wait_for(1)
        self.assertEqual(clock.state()["next_ms"], 90_000)
        clock.advance(seconds=89.999_999)
        self.assertEqual(run.wait_for(1)["waiting"], 1)
        clock.advance(seconds=0.000_001)
        self.assertEqual(reply.result(), 200)
        self.assertEqual(run.settled()["waits"][0]["waited_ms"], 90_000)
        self.assertFalse(clock.unfreeze()["frozen"])
        self.assertEqual(clock.scale(0.5)["scale"], 0.5)
        self.assertEqual(clock.reset()["scale"], 1)

    def test_runs_have_clocks_of_their_own(self):
        run, other = self.server.run(), self.server.run()
        with self.assertRaises(delayserver.Problem) as caught:
            run.clock.state()
        self.assertEqual(caught.exception.type, "run-clock-not-found")
        for clock in run.clock, other.clock:
            clock.freeze()
        reply, later = (self.threads.submit(get, r.delay_url(60)) for r in (run, other))
        run.clock.wait_for(1)
        other.clock.wait_for(1)
        run.clock.advance(seconds=60)
        self.assertEqual(reply.result(), 200)
        self.assertEqual(other.clock.state()["waiting"], 1)
        self.assertFalse(self.server.clock.state()["frozen"])
        other.clock.advance(seconds=60)
        self.assertEqual(later.result(), 200)

    def test_a_reset_brings_the_server_back_to_its_start(self):
        run = self.server.run()
        self.server.clock.freeze()
        reply = self.threads.submit(get, run.hold("prices").url)
        run.wait_for(1)
        self.server.reset()
        self.assertEqual(reply.result(), 503)
        self.assertFalse(self.server.clock.state()["frozen"])
        with self.assertRaises(delayserver.Problem):
            run.settled()

    def test_requests_belong_to_a_run_by_url_or_headers(self):
        run = self.server.run()
        for url in run.delay_url(0.0015), run.url("/delay/1?status=503"), run.url(self.server.url + "/delay/1"):
            get(url)
        get(self.server.delay_url(0), headers=run.headers)
        self.assertEqual([w["asked_ms"] for w in run.settled()["waits"]], [1.5, 1, 1, 0])
        self.assertIn("/delay/0", run.waterfall())
        run.forget()
        self.server.forget_runs()
        with self.assertRaises(delayserver.Problem):
            run.waterfall()

    def test_names_are_escaped(self):
        name = f"{self.server.run().id}/?&=%2F+"
        run, hold = self.server.run(name), self.server.hold(name)
        reply = self.threads.submit(get, run.url(hold.url))
        hold.wait_for(1)
        hold.release()
        self.assertEqual(reply.result(), 200)
        self.assertEqual(run.settled()["id"], name)
        for name in "", ".", "..":
            with self.assertRaisesRegex(ValueError, "name .* is invalid"):
                self.server.hold(name)


class ErrorTest(delayserver.TestCase):
    """What fails says why."""

    def test_a_problem_names_the_request_the_type_and_the_detail(self):
        with self.assertRaises(delayserver.Problem) as caught:
            self.server.run("unknown").settled()
        problem = caught.exception
        self.assertEqual((problem.type, problem.status, problem.title), ("run-not-found", 404, "Run not found"))
        self.assertIn('run "unknown" not found', problem.detail)
        text = r'^GET http\S+/admin/runs/unknown\?\S+: 404 run-not-found: run "unknown" not found'
        self.assertRegex(str(problem), text)

    def test_a_wait_ends_with_the_time(self):
        self.server.timeout_seconds = 0.01
        with self.assertRaises(delayserver.Problem) as caught:
            self.server.hold(self.server.run().id).wait_for(2)
        self.assertEqual(caught.exception.type, "wait-timeout")

    def test_a_wrong_token(self):
        with self.assertRaises(delayserver.Problem) as caught:
            delayserver.DelayServer(self.server.url, "wrong").clock.freeze()
        self.assertEqual((caught.exception.type, caught.exception.status), ("token-required", 401))

    def test_a_server_that_is_not_there(self):
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        url = f"http://127.0.0.1:{port}"
        with self.assertRaisesRegex(ConnectionError, f"GET {url}/admin/clock: no delay-server answers"):
            delayserver.DelayServer(url).clock.state()

    def test_another_server(self):
        class Other(http.server.BaseHTTPRequestHandler):
            def do_GET(self):
                if self.path.startswith("/moved/"):
                    self.send_response(302)
                    self.send_header("Location", "http://192.0.2.1/")  # nothing answers there
                elif self.path.startswith("/problem/"):
                    self.send_response(404)
                    self.send_header("Content-Type", "application/problem+json")
                else:
                    self.send_response(200)
                    self.send_header("Content-Type", "text/html")
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_):
                pass

        with http.server.HTTPServer(("127.0.0.1", 0), Other) as other:
            threading.Thread(target=other.serve_forever, daemon=True).start()
            for path, status in ("/moved", 302), ("", 200):
                server = delayserver.DelayServer(f"http://127.0.0.1:{other.server_port}{path}", "token")
                with self.assertRaisesRegex(ConnectionError, rf"unexpected reply {status} .*\(is this a delay-server"):
                    server.clock.state()
            with self.assertRaisesRegex(delayserver.Problem, "404 about:blank"):
                delayserver.DelayServer(f"http://127.0.0.1:{other.server_port}/problem").clock.state()
            other.shutdown()

    def test_an_invalid_url(self):
        for url in "", "127.0.0.1:3000", "ftp://a", "http://", "http://a?b", "http://a#b", "http://user:secret@a":
            with self.subTest(url), self.assertRaisesRegex(ValueError, "use http://HOST:PORT"):
                delayserver.DelayServer(url)


class StartTest(unittest.TestCase):
    """start() follows the environment."""

    BINARY = os.environ.get("DELAY_SERVER_BINARY")
    IMAGE = os.environ.get("DELAY_SERVER_IMAGE")
    OTHERS = {name: value for name, value in os.environ.items() if not name.startswith("DELAY_SERVER_")}

    def start(self, environment: dict, **settings):
        with unittest.mock.patch.dict(os.environ, {**self.OTHERS, **environment}, clear=True):
            server = delayserver.start(**settings)
        self.addCleanup(server.close)
        return server

    def test_a_url(self):
        server = self.start({"DELAY_SERVER_URL": "http://127.0.0.1:9/base/", "DELAY_SERVER_TOKEN": "t"})
        self.assertEqual(server.url, "http://127.0.0.1:9/base")
        with self.assertRaisesRegex(ValueError, "runs already: start it with MAX_DELAY"):
            self.start({"DELAY_SERVER_URL": "http://127.0.0.1:9"}, MAX_DELAY="1h")

    @unittest.skipUnless(BINARY, "no DELAY_SERVER_BINARY")
    def test_a_program_runs_until_it_is_closed(self):
        with self.start({"DELAY_SERVER_BINARY": self.BINARY, "DELAY_SERVER_TOKEN": "t", "PORT": "x"}) as server:
            delayserver.DelayServer(server.url, "t").clock.state()
        with self.assertRaises(ConnectionError):
            server.clock.state()
        server.close()

    @unittest.skipUnless(BINARY, "no DELAY_SERVER_BINARY")
    def test_a_program_ends_with_the_process(self):
        process = subprocess.run(
            [sys.executable, "-c", "import delayserver; print(delayserver.start().url)"],
            env={**self.OTHERS, "DELAY_SERVER_BINARY": self.BINARY},
            cwd=os.path.dirname(delayserver.__file__),
            stdout=subprocess.PIPE,
            text=True,
            check=True,
            timeout=60,
        )
        with self.assertRaises(ConnectionError):
            delayserver.DelayServer(process.stdout.strip()).clock.state()

    @unittest.skipUnless(IMAGE, "no DELAY_SERVER_IMAGE")
    def test_a_container(self):
        with self.start({"DELAY_SERVER_IMAGE": self.IMAGE}, TIME_SCALE="0.5") as server:
            self.assertEqual(server.clock.state()["scale"], 0.5)
        with self.assertRaises(ConnectionError):
            server.clock.state()
        with self.assertRaisesRegex(RuntimeError, 'does not answer; its log: (.*\n)*TIME_SCALE: "fast" is invalid'):
            self.start({"DELAY_SERVER_IMAGE": self.IMAGE}, TIME_SCALE="fast")
        with self.assertRaisesRegex(RuntimeError, "docker run: .*NO-IMAGE"):
            self.start({"DELAY_SERVER_IMAGE": "NO-IMAGE"})

    @unittest.skipUnless(BINARY, "no DELAY_SERVER_BINARY")
    def test_settings(self):
        server = self.start({"DELAY_SERVER_BINARY": self.BINARY}, TIME_SCALE="0.5")
        self.assertEqual(server.clock.state()["scale"], 0.5)
        with self.assertRaisesRegex(RuntimeError, "did not start .exit status 2"):
            self.start({"DELAY_SERVER_BINARY": self.BINARY}, TIME_SCALE="fast")

    @unittest.skipUnless(BINARY, "no DELAY_SERVER_BINARY")
    def test_a_program_in_path(self):
        with tempfile.TemporaryDirectory() as folder:
            shutil.copy(self.BINARY, os.path.join(folder, "delay-server"))
            self.start({"PATH": folder}).clock.state()

    def test_no_program(self):
        ways = "set DELAY_SERVER_URL, DELAY_SERVER_BINARY or DELAY_SERVER_IMAGE"
        with tempfile.TemporaryDirectory() as folder:
            os.mkdir(os.path.join(folder, "delay-server"))  # no program
            for path in "", folder:
                with self.assertRaisesRegex(FileNotFoundError, ways):
                    self.start({"PATH": path})
        with self.assertRaises(FileNotFoundError):
            self.start({"DELAY_SERVER_BINARY": "/nowhere/delay-server"})
        with self.assertRaisesRegex(RuntimeError, "is no delay-server, or did not start .exit status 0"):
            self.start({"DELAY_SERVER_BINARY": sys.executable})


if __name__ == "__main__":
    unittest.main()
