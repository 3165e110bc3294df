"""The tutorial's app: the same slow calls, one after another and all at once.

    python3 app.py          serves /get_data and /async_get_data at http://localhost:5001
    python3 app.py sweep    measures growing numbers of calls

It needs Flask with its async extra, and httpx: on Debian, python3-flask, python3-asgiref
and python3-httpx. DELAY_SERVER_URL sets the slow service, HOST and PORT the address.
"""

import asyncio
import contextlib
import os
import re
import secrets
import sqlite3
import ssl
import sys
import time

import httpx
from flask import Flask, Response, abort, request

SLOW = os.environ.get("DELAY_SERVER_URL") or "http://localhost:3000"
TLS = ssl.create_default_context()  # made once: each client would load the certificates again

app = Flask(__name__)
app.json.sort_keys = False  # r1, r2, … r10


# Step 1, one after another: an endpoint that makes calls. Without calls it answers ok.
@app.get("/get_data")
def get_data():
    run = run_id()
    return answer(run, sequential(read_calls(), run))


# Step 1, all at once: an asynchronous endpoint. Without calls it is no faster.
@app.get("/async_get_data")
async def async_get_data():
    run = run_id()
    return answer(run, await concurrent(read_calls(), run))


# Step 2, one after another: each call waits for the one before. The waits add up.
def sequential(calls, run):
    statuses = {}
    with httpx.Client(**options(run)) as client:
        for name, wait in calls.items():
            if name == "db":
                statuses[name] = query(wait)
            else:
                response = client.get(f"/delay/{wait}")
                statuses[name] = response.status_code
    return statuses


# Step 2, all at once: the calls start together, and gather waits for all. The waits overlap.
async def concurrent(calls, run):
    async with httpx.AsyncClient(**options(run)) as client:
        async def call(name, wait):
            if name == "db":
                return await asyncio.to_thread(query, wait)
            response = await client.get(f"/delay/{wait}")
            return response.status_code

        statuses = await asyncio.gather(
            *(call(name, wait) for name, wait in calls.items())
        )
    return dict(zip(calls, statuses))


# Step 3: any number of calls, r1, r2 and so on. With db=, a query replaces the last.
def read_calls():
    for name in request.args:
        if name not in ("calls", "delay", "db"):
            reject(f"unknown parameter {name}: use calls, delay and db")
    count, delay = number("calls", 2, 1000), number("delay", 1000, 60_000)
    calls = {f"r{i}": delay for i in range(1, count + 1)}
    if "db" in request.args:
        if not calls:
            reject("db and calls=0 conflict: db replaces the last call")
        calls.popitem()
        calls["db"] = number("db", 0, 60_000)
    return calls


# Step 4: a query that takes a while. SQLite cannot sleep, so the query calls Python.
def query(wait):
    with contextlib.closing(sqlite3.connect(":memory:")) as database:
        database.create_function("sleep", 1, time.sleep)
        database.execute("SELECT sleep(?)", (wait / 1000,)).fetchone()
    return 200


def options(run):
    """The options of a client: any number of connections, and waits of any length."""
    limits = httpx.Limits(max_connections=None)
    return {"base_url": SLOW, "headers": {"X-Run-Id": run}, "limits": limits, "timeout": None, "verify": TLS}


def run_id():
    """The run that delay-server shows as a waterfall: the client's, or a new one."""
    return request.headers.get("X-Run-Id") or "generated." + secrets.token_hex(6)


def number(name, default, limit):
    values = request.args.getlist(name)
    if not values:
        return default
    if len(values) > 1 or not re.fullmatch("[0-9]{1,5}", values[0]) or int(values[0]) > limit:
        reject(f"{name} is invalid: use one whole number from 0 to {limit}")
    return int(values[0])


def reject(sentence):
    abort(Response(sentence + "\n", 400, content_type="text/plain; charset=utf-8"))


def answer(run, statuses):
    response = app.json.response(statuses) if statuses else Response("ok\n", content_type="text/plain; charset=utf-8")
    response.headers["X-Run-Id"] = run
    return response


@app.errorhandler(httpx.HTTPError)
def call_failed(error):
    return Response(f"a call to {SLOW} failed: {error}\n", 502, content_type="text/plain; charset=utf-8")


def sweep():
    print("calls  one after another  all at once  times as fast", flush=True)
    for count in (1, 2, 4, 8, 16, 32, 64):
        calls = {f"r{i}": 50 for i in range(count)}
        start = time.perf_counter()
        sequential(calls, f"sweep-{count}-sequential")
        middle = time.perf_counter()
        asyncio.run(concurrent(calls, f"sweep-{count}-concurrent"))
        both = middle - start, time.perf_counter() - middle
        print(f"{count:5}{both[0]:18.3f} s{both[1]:11.3f} s{both[0] / both[1]:15.1f}", flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["sweep"]:
        sweep()
    elif sys.argv[1:]:
        sys.exit("use: python3 app.py [sweep]")
    else:
        app.run(host=os.environ.get("HOST") or "localhost", port=int(os.environ.get("PORT") or 5001))
