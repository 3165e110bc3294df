# Makes a hundred calls, at most ten at once: ten threads share them.
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


with ThreadPoolExecutor(max_workers=10) as pool:
    list(pool.map(call, range(100)))
