'use strict';
// Shared by the scripts of the pages.

// byId returns the element with an ID.
const byId = (id) => document.getElementById(id);

// reducedMotion matches if the user prefers less motion.
const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');

// A link to a program on the same machine leads to the host by which this page was reached.
for (const link of document.querySelectorAll('a[data-local]')) link.hostname = location.hostname;
// An embedded delay-server listens on loopback only.
for (const link of document.querySelectorAll('a[data-embedded]')) {
  link.hidden = !['localhost', '127.0.0.1', '[::1]'].includes(location.hostname);
}

// readEvents yields [name, data] for each event of an event stream as it arrives.
async function* readEvents(response) {
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let text = ''; ;) {
    const { value, done } = await reader.read();
    if (done) return;
    const blocks = (text + value).split('\n\n');
    text = blocks.pop();
    for (const block of blocks) {
      const name = /^event: (.*)$/m.exec(block);
      if (name) yield [name[1], JSON.parse(/^data: (.*)$/m.exec(block)[1])];
    }
  }
}

// formQuery returns the query of a form without its empty fields.
const formQuery = (form) => new URLSearchParams([...new FormData(form)].filter(([, value]) => value !== ''));
