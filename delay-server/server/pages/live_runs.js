'use strict';

// Runs is the table of runs. A run opens its waterfall below its row. A table body of its
// own has each run and its waterfall.
class Runs {
  open = new Map(); // run ID: Waterfall
  wanted = ''; // run whose waterfall opens when a state lists the run

  constructor(filterBy) { this.filterBy = filterBy; }

  show(runs) {
    byId('runs').hidden = runs.length === 0;
    setRows(byId('runs').querySelector('table'), runs, {
      key: ({ id }) => id,
      make: ({ id }) => this.make(id),
      fill: (body, run) => {
        const cells = body.rows[0].cells;
        const speedup = run.speedup > 0 && run.requests > 1 ? `${run.speedup.toFixed(2)} ×` : '–';
        const figures = [count(run.requests), count(run.waiting), count(run.peak), shortTime(run.wall), speedup];
        figures.forEach((text, i) => setText(cells[i + 1], text));
        body.classList.toggle('busy', run.waiting > 0);
      },
    });
    if (this.bodyOf(this.wanted)) {
      if (!this.open.has(this.wanted)) this.toggle(this.wanted);
      this.wanted = '';
    }
    for (const [id, picture] of this.open) {
      const run = runs.find((one) => one.id === id);
      if (run) picture.update(run); else this.open.delete(id);
    }
  }

  make(id) {
    const toggle = element('button', 'link run', dotOf(id), id);
    toggle.type = 'button';
    toggle.setAttribute('aria-expanded', 'false');
    toggle.title = 'Waterfall';
    toggle.addEventListener('click', () => this.toggle(id));
    const row = element('tr', '', element('th', '', toggle));
    row.firstChild.scope = 'row';
    for (const kind of ['wide-only', '', 'wide-only', 'wide-only', '']) row.append(element('td', `number ${kind}`));
    row.append(element('td', 'number', actionButton('Only', `Show only run ${id}`, () => this.filterBy(id))));
    return element('tbody', '', row);
  }

  bodyOf(id) { return byId('runs').querySelector('table').rowsByKey?.get(id)?.element; }

  toggle(id) {
    const body = this.bodyOf(id);
    const isOpen = this.open.has(id);
    body.querySelector('.run').setAttribute('aria-expanded', String(!isOpen));
    if (isOpen) {
      this.open.delete(id);
      body.lastChild.remove();
      return;
    }
    const picture = new Waterfall(id);
    const cell = element('td', 'picture', picture.host);
    cell.colSpan = 7;
    body.append(element('tr', '', cell));
    this.open.set(id, picture);
    picture.load();
  }
}

const waterfallPause = 1000; // ms between two pictures of a run

// Waterfall shows the server's picture of a run, and a newer one while the run changes.
// The picture is fetched with the token, which an <img> would not send.
class Waterfall {
  host = element('div', 'waterfall');
  loading = false;
  outdated = false;

  constructor(id) {
    this.id = id;
    this.host.tabIndex = 0; // it scrolls on a narrow screen
    this.host.setAttribute('role', 'region');
    this.host.setAttribute('aria-label', `Waterfall of run ${id}`);
    this.host.attachShadow({ mode: 'open' });
  }

  // update takes the figures of the run in a state.
  update(run) {
    const figures = JSON.stringify(run);
    if (figures === this.figures && run.waiting === 0) return;
    this.figures = figures;
    this.load();
  }

  async load() {
    if (this.loading) {
      this.outdated = true;
      return;
    }
    this.loading = true;
    try {
      const response = await callAdmin('GET', `/admin/runs/${encodeURIComponent(this.id)}/waterfall.svg`);
      this.draw(await response.text());
    } catch (error) {
      this.host.shadowRoot.replaceChildren(element('p', '', error.message));
    }
    await sleep(waterfallPause);
    this.loading = false;
    if (this.outdated && this.host.isConnected) {
      this.outdated = false;
      this.load();
    }
  }

  // draw takes the text of the picture. Its style element would not apply to a page whose
  // policy forbids them; a constructed style sheet does.
  draw(text) {
    const style = /<style>(.*?)<\/style>/s.exec(text);
    const bare = text.replace(style?.[0] ?? '', '');
    const picture = new DOMParser().parseFromString(bare, 'image/svg+xml').documentElement;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(style?.[1] ?? '');
    const size = new CSSStyleSheet();
    size.replaceSync('svg { display: block; width: 100%; min-width: 42rem; max-width: 72rem; height: auto; }');
    const root = this.host.shadowRoot;
    root.adoptedStyleSheets = [sheet, size];
    root.replaceChildren(document.importNode(picture, true));
  }
}
