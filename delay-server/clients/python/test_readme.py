import time
import unittest
import urllib.error
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import delayserver


def fetch(url, tries=3, pause=0.1, timeout=10):
    """The code under test: it retries a 503, first after 100 ms, then after 200 ms."""
    while True:
        try:
            with urllib.request.urlopen(url, timeout=timeout) as reply:
                return reply.read()
        except urllib.error.HTTPError as error:
            error.close()
            tries -= 1
            if error.code != 503 or tries == 0:
                raise
        time.sleep(pause)
        pause *= 2


def fetch_all(urls):
    """The code under test: it fetches all URLs at once."""
    with ThreadPoolExecutor(len(urls)) as threads:
        return list(threads.map(fetch, urls))


class FetchTest(delayserver.TestCase):
    def test_backs_off(self):
        run = self.server.run()
        fetch(run.url("/delay/10?attempts=503,503,200"))
        # within forgives waits up to 5 s too long, for a busy machine; none may be too short.
        run.check(attempts=3, backoff="100ms,2", within="5s")

    def test_fetches_all_at_once(self):
        run = self.server.run()
        hold = run.hold("prices")
        with ThreadPoolExecutor() as thread:
            fetched = thread.submit(fetch_all, [hold.url] * 3)
            hold.wait_for(3)  # all three wait at the same time
            hold.release()  # and are answered
            fetched.result()
        run.check(peak=3)

    def test_a_slow_answer_is_an_answer(self):
        run = self.server.run()
        run.clock.freeze()
        with ThreadPoolExecutor() as thread:
            fetched = thread.submit(fetch, run.delay_url(seconds=60), timeout=90)
            run.clock.wait_for(1)  # the request has come
            run.clock.advance(seconds=60)  # a minute passes at once
            fetched.result()

    def test_routes_of_the_shop(self):
        run = self.server.run()
        run.scenario("""
            routes:
              - path: /prices/{id}
                delay: 5ms
                json: {price: 12}
        """)
        self.assertEqual(fetch(run.url("/prices/7")), b'{"price":12}')


if __name__ == "__main__":
    unittest.main()
