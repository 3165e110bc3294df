"""Leads flash.siwalik.in to FLASH_PORT of this machine. Python runs it at its start.

Only the way there is made up: what is asked for, whom the certificate is for and
who is trusted stay as they are.
"""

import os
import socket

FLASH = ("192.0.2.1", 443)  # an address that is nobody's (RFC 5737)
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
