'use strict';

const pathOf = (run) => `/admin/runs/${encodeURIComponent(run)}/waterfall.svg`;

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
        // Far below 1 it says only that the run had pauses.
        const speedup = run.speedup >= 0.9 && run.requests > 1 ? `${run.speedup.toFixed(2)} ×` : '–';
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
      // The fragment is not sent: it only says that the picture has changed.
      if (run) picture.show(id, `${pathOf(id)}#${encodeURIComponent(JSON.stringify(run))}`);
      else this.open.delete(id);
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
    const picture = new Waterfall(element('div', 'waterfall'));
    const cell = element('td', 'picture', picture.host);
    cell.colSpan = 7;
    body.append(element('tr', '', cell));
    this.open.set(id, picture);
    picture.show(id, pathOf(id));
  }
}
