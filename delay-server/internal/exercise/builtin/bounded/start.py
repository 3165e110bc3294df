# Makes a hundred calls at once, each in a thread.
import time
from concurrent.futures import ThreadPoolExecutor
from urllib.request import Request, urlopen

SERVER = "http://localhost:3000"
NAME = "your-name"
RUN = f"{NAME}.bounded.{time.time_ns() // 1_000_000}"  # a new one for each try


def call(number):
    request = Request(SERVER + "/delay/200", headers={"X-Run-Id": RUN})
    with urlopen(request) as response:
        print("call", number, "got", response.status)


# Change this: make all hundred calls, but never more than ten at the same time.
with ThreadPoolExecutor(max_workers=100) as pool:
    list(pool.map(call, range(100)))
