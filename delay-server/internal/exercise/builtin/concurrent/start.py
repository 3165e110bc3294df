# Makes three calls, one after another.
import time
from urllib.request import Request, urlopen

SERVER = "http://localhost:3000"
NAME = "your-name"
RUN = f"{NAME}.concurrent.{time.time_ns() // 1_000_000}"  # a new one for each try


def call(number):
    request = Request(SERVER + "/delay/1000", headers={"X-Run-Id": RUN})
    with urlopen(request) as response:
        print("call", number, "got", response.status)


# Change this: start all three calls, and only then wait for the answers.
for number in range(3):
    call(number)
