# Waits for the answer, however long it takes.
import time
from urllib.request import Request, urlopen

SERVER = "http://localhost:3000"
NAME = "your-name"
RUN = f"{NAME}.timeout.{time.time_ns() // 1_000_000}"  # a new one for each try

request = Request(SERVER + "/delay/5000", headers={"X-Run-Id": RUN})

# Change this: give up after two seconds.
with urlopen(request) as response:
    print("got", response.status)
