# Waits for a single request, also if it is a slow one.
import time
from http.client import HTTPConnection

SERVER = "http://localhost:3000"
NAME = "your-name"
RUN = f"{NAME}.hedge.{time.time_ns() // 1_000_000}"  # a new one for each try
HOST = SERVER.removeprefix("http://")


def call(connection):
    path = "/delay/100?attempts=200@6s,200"
    connection.request("GET", path, headers={"X-Run-Id": RUN})
    return connection.getresponse().status


# Change this: after a second without an answer, send a second request over a
# connection of its own. Take the first answer, and close the other connection:
# connection.sock.shutdown(socket.SHUT_RDWR) ends a call that waits in a thread.
print("got", call(HTTPConnection(HOST)))
