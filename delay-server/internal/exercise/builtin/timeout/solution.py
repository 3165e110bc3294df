# Waits up to two seconds for the answer, then closes the connection.
import time
from urllib.request import Request, urlopen

SERVER = "http://localhost:3000"
NAME = "your-name"
RUN = f"{NAME}.timeout.{time.time_ns() // 1_000_000}"  # a new one for each try

request = Request(SERVER + "/delay/5000", headers={"X-Run-Id": RUN})

try:
    with urlopen(request, timeout=2) as response:
        print("got", response.status)
except TimeoutError:
    print("gave up")
