# Sends a second request after a second, takes the first answer, and cancels
# the other request.
import socket
import time
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from http.client import HTTPConnection

SERVER = "http://localhost:3000"
NAME = "your-name"
RUN = f"{NAME}.hedge.{time.time_ns() // 1_000_000}"  # a new one for each try
HOST = SERVER.removeprefix("http://")


def call(connection):
    path = "/delay/100?attempts=200@6s,200"
    connection.request("GET", path, headers={"X-Run-Id": RUN})
    return connection.getresponse().status


with ThreadPoolExecutor() as pool:
    connections = {}  # by call
    done = set()
    for patience in (1, None):  # seconds; the last request waits without end
        connection = HTTPConnection(HOST)
        connections[pool.submit(call, connection)] = connection
        done, losers = wait(connections, timeout=patience, return_when=FIRST_COMPLETED)
        if done:
            break
    print("got", done.pop().result())
    for loser in losers:  # close its connection, so that the server learns of it
        connections[loser].sock.shutdown(socket.SHUT_RDWR)
