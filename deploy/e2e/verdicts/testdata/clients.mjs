// Clients that call fetch in a loop. Each line of the standard input is the name of a
// client and a URL. The client sends its requests, and the URL is printed when they are
// over, with the error that it did not expect.
import { randomUUID } from "node:crypto";
import { createInterface } from "node:readline";
import { setTimeout as sleep } from "node:timers/promises";

const attempts = 5;

// jittered is between half of the back-off and all of it, for the given failure.
const jittered = (failure) => 400 * 2 ** failure * (0.5 + Math.random() / 2);

const clients = {
  backoff: (url) =>
    retry(async (failure) => {
      const response = await fetch(url);
      if (!response.ok) await sleep(jittered(failure));
      return response;
    }),

  "backoff-not-awaited": (url) =>
    retry(async (failure) => {
      const response = await fetch(url);
      if (!response.ok) sleep(jittered(failure)); // without await
      return response;
    }),

  "same-key": (url) => {
    const key = randomUUID();
    return retry(() => post(url, key));
  },

  "new-key": (url) => retry(() => post(url, randomUUID())),
};

const post = (url, key) => fetch(url, { method: "POST", headers: { "Idempotency-Key": key } });

async function retry(send) {
  for (let failure = 0; failure < attempts; failure++) {
    const response = await send(failure);
    await response.arrayBuffer(); // so that its connection is free
    if (response.ok) return;
  }
  throw new Error(`no success in ${attempts} attempts`);
}

for await (const line of createInterface({ input: process.stdin })) {
  const [name, url] = line.split(" ");
  clients[name](url).then(
    () => console.log(url),
    (error) => console.log(url, String(error)),
  );
}
