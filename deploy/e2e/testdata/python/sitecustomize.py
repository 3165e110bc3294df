"""Redirects connections for flash.siwalik.in to FLASH_PORT on this machine.

Python runs this file when it starts. Requests and certificate checks do not change.
"""

import os
import socket

FLASH = ("192.0.2.1", 443)  # reserved for documentation (RFC 5737)
HERE = ("127.0.0.1", int(os.environ["FLASH_PORT"]))

resolve, connect = socket.getaddrinfo, socket.socket.connect


def getaddrinfo(host, *args, **kwargs):
    if host in ("flash.siwalik.in", b"flash.siwalik.in"):
        host = FLASH[0]
    return resolve(host, *args, **kwargs)


def connect_here(self, address):
    return connect(self, HERE if address == FLASH else address)


socket.getaddrinfo = getaddrinfo
socket.socket.connect = connect_here
