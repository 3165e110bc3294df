# Waits before a retry for as long as the header Retry-After says.
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

SERVER = "http://localhost:3000"
NAME = "your-name"
RUN = f"{NAME}.retry-after.{time.time_ns() // 1_000_000}"  # a new one for each try


def call():
    """Return the status, and the seconds that Retry-After says."""
    url = SERVER + "/delay/20?attempts=429,429,200&retry_after=1s"
    request = Request(url, headers={"X-Run-Id": RUN})
    try:
        with urlopen(request) as response:
            return response.status, 0
    except HTTPError as error:
        return error.code, int(error.headers["Retry-After"])


for attempt in range(5):
    status, retry_after = call()
    print("attempt", attempt, "got", status)
    if status != 429:
        break
    time.sleep(retry_after)
