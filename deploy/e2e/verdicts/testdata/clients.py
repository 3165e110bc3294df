"""Clients that retry with urllib3.

Each line of the standard input is the name of a client and a URL. The client sends its
requests, and the URL is printed when they are over, with the error that it did not expect.
"""
import sys
import threading

import urllib3
from urllib3.util.retry import Retry

FAILURES = [429, 500, 502, 503]


class Backoff(Retry):
    """Retry whose first retry waits too. urllib3 sends it at once."""

    def get_backoff_time(self):
        return self.backoff_factor * 2 ** (len(self.history) - 1)


CLIENTS = {
    "backoff": Backoff(total=5, status_forcelist=FAILURES, backoff_factor=0.3),
    "no-backoff": Retry(total=5, status_forcelist=FAILURES),  # the default
    "retry-after": Retry(total=5, status_forcelist=FAILURES),
    "no-retry-after": Retry(total=5, status_forcelist=FAILURES, respect_retry_after_header=False),
}

printing = threading.Lock()


def request(name, url):
    error = ""
    try:
        with urllib3.PoolManager() as pool:
            pool.request("GET", url, retries=CLIENTS[name])
    except Exception as e:
        error = repr(e)
    with printing:
        print(url, error, flush=True)


for line in sys.stdin:
    threading.Thread(target=request, args=line.split()).start()
