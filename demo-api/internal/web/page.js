'use strict';
// Shared by the scripts of the pages.

// byId returns the element with an ID.
const byId = (id) => document.getElementById(id);

// reducedMotion matches if the user prefers less motion.
const reducedMotion = matchMedia('(prefers-reduced-motion: reduce)');

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
