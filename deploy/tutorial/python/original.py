"""The app of "Speeding Up API Endpoints using Python AsyncIO", in our own words.

Both endpoints ask the same two slow questions: one after another, and at once.
"""

import asyncio

import httpx
from flask import Flask

SLOW = "https://flash.siwalik.in/delay/1000/"

app = Flask(__name__)


@app.get("/get_data")
def get_data():
    first = httpx.get(SLOW)
    second = httpx.get(SLOW)
    return {"r1": first.status_code, "r2": second.status_code}


@app.get("/async_get_data")
async def async_get_data():
    async with httpx.AsyncClient() as client:
        first, second = await asyncio.gather(client.get(SLOW), client.get(SLOW))
    return {"r1": first.status_code, "r2": second.status_code}
