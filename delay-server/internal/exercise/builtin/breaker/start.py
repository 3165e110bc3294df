# Calls ten times a second, also while the service is down.
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


# Change this: after three failures in a row, call nothing for a second,
# then let one call through.
for _ in range(30):
    print("got", call())
    time.sleep(0.1)
