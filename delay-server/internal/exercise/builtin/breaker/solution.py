# Calls ten times a second, but not for a second after three failures in a row.
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

SERVER = "http://localhost:3000"
NAME = "your-name"
RUN = f"{NAME}.breaker.{time.time_ns() // 1_000_000}"  # a new one for each try


def call():
    url = SERVER + "/delay/20?attempts=503,503,503,503,200"
    request = Request(url, headers={"X-Run-Id": RUN})
    try:
        with urlopen(request) as response:
            return response.status
    except HTTPError as error:
        return error.code


failures = 0  # in a row
open_until = 0.0
for _ in range(30):
    if time.monotonic() < open_until:
        print("not called: the breaker is open")
    else:
        status = call()
        print("got", status)
        failures = failures + 1 if status >= 500 else 0
        if failures >= 3:
            open_until = time.monotonic() + 1
    time.sleep(0.1)
