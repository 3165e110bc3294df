# Waits before each retry, twice as long each time, with jitter.
import random
import time
from urllib.error import HTTPError
from urllib.request import Request, urlopen

SERVER = "http://localhost:3000"
NAME = "your-name"
RUN = f"{NAME}.retry.{time.time_ns() // 1_000_000}"  # a new one for each try


def call():
    url = SERVER + "/delay/20?attempts=503,503,503,200"
    request = Request(url, headers={"X-Run-Id": RUN})
    try:
        with urlopen(request) as response:
            return response.status
    except HTTPError as error:
        return error.code


wait = 0.2
for attempt in range(5):
    status = call()
    print("attempt", attempt, "got", status)
    if status < 500:
        break
    time.sleep(wait * random.uniform(0.5, 1.5))
    wait *= 2
