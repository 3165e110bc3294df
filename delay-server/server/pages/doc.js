'use strict';
// The documentation's search, contents and copy buttons. The page is complete
// without this file, and all of it works on a saved page.
const at = (id) => document.getElementById(id);

// Search. An entry is a section, or a row of a table that has an id: a
// parameter, a setting or a type of problem.
const tidy = (text) => text.replace(/\s+/g, ' ').trim();

const kinds = [
  ['param-', 'parameter'],
  ['setting-', 'setting'],
  ['metric-', 'metric'],
];

const cellsOf = (row) => Array.from(row.cells, (cell) => tidy(cell.textContent)).join(' ');

const rowEntry = (row) => {
  const [, what] = kinds.find(([prefix]) => row.id.startsWith(prefix)) ?? ['', 'problem'];
  const endpoint = row.querySelector('small'); // the only one with the parameter
  const kind = endpoint ? `${what} of ${endpoint.textContent}` : what;
  return { id: row.id, name: tidy(row.querySelector('code').textContent), kind, text: cellsOf(row) };
};

const sectionEntry = (section) => ({
  id: section.id,
  name: tidy(section.querySelector('h3').textContent),
  kind: section.classList.contains('recipe') ? 'recipe' : 'section',
  text: Array.from(section.querySelectorAll('p, li, td, pre, h4'), (part) => tidy(part.textContent)).join(' '),
});

const entries = [
  ...Array.from(document.querySelectorAll('main tr[id]'), rowEntry),
  ...Array.from(document.querySelectorAll('main section[id]'), sectionEntry),
].map((entry) => ({ ...entry, lowerName: entry.name.toLowerCase(), lowerText: entry.text.toLowerCase() }));

// rank returns how well an entry matches: 0 is its name, 4 is all words in its
// text, and Infinity is not at all.
const rank = ({ lowerName, lowerText }, query, words) => {
  if (lowerName === query) return 0;
  if (lowerName.startsWith(query)) return 1;
  if (lowerName.includes(query)) return 2;
  if (words.every((word) => lowerName.includes(word))) return 3;
  return words.every((word) => lowerText.includes(word)) ? 4 : Infinity;
};

const matches = (text) => {
  const query = tidy(text).toLowerCase();
  if (query === '') return [];
  const words = query.split(' ');
  return entries
    .map((entry) => ({ entry, rank: rank(entry, query, words) }))
    .filter((match) => match.rank < Infinity)
    .sort((a, b) => a.rank - b.rank)
    .map((match) => match.entry);
};

// excerpt returns the words around the first match in an entry's text.
const excerpt = (entry, query) => {
  const where = entry.lowerText.indexOf(query.split(' ')[0]);
  const start = Math.max(0, entry.text.lastIndexOf(' ', where - 24) + 1);
  const end = entry.text.length > start + 90 ? entry.text.lastIndexOf(' ', start + 90) : entry.text.length;
  return `${start > 0 ? '… ' : ''}${entry.text.slice(start, end)}${end < entry.text.length ? ' …' : ''}`;
};

const item = (entry, query) => {
  const li = document.createElement('li');
  const link = document.createElement('a');
  link.href = `#${entry.id}`;
  const name = document.createElement(entry.kind === 'section' || entry.kind === 'recipe' ? 'span' : 'code');
  name.textContent = entry.name;
  const kind = document.createElement('small');
  kind.textContent = entry.kind;
  link.append(name, ' ', kind);
  if (!entry.lowerName.includes(query)) {
    const found = document.createElement('small');
    found.className = 'excerpt';
    found.textContent = excerpt(entry, query);
    link.append(found);
  }
  li.append(link);
  return li;
};

const find = at('find');
const found = at('found');
const links = () => [...found.querySelectorAll('a')];

const count = (n) => {
  if (n === 0) return `No match for “${tidy(find.value)}”`;
  return n === 1 ? '1 match' : `${n} matches`;
};

const search = () => {
  const query = tidy(find.value).toLowerCase();
  const all = matches(query);
  found.replaceChildren(...all.map((entry) => item(entry, query)));
  found.scrollTop = 0;
  document.body.classList.toggle('searching', query !== '');
  at('count').textContent = query === '' ? '' : count(all.length);
};

const clear = () => {
  find.value = '';
  search();
};

at('search').hidden = false;
find.addEventListener('input', search);
find.addEventListener('keydown', (event) => {
  if (event.key === 'Enter') links()[0]?.click();
  if (event.key === 'ArrowDown') links()[0]?.focus();
  if (event.key === 'Enter' || event.key === 'ArrowDown') event.preventDefault();
});
found.addEventListener('keydown', (event) => {
  const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (step === undefined) return;
  event.preventDefault();
  (links()[links().indexOf(document.activeElement) + step] ?? find).focus();
});
found.addEventListener('click', (event) => {
  if (!event.target.closest('a')) return;
  setTimeout(() => { // the link is followed first
    clear();
    find.blur();
  });
});
document.addEventListener('keydown', (event) => {
  if (event.key === 'Escape' && find.value !== '') {
    clear();
    find.focus();
    return;
  }
  const shortcut = event.ctrlKey || event.metaKey || event.altKey; // of the browser
  if (event.key === '/' && !shortcut && document.activeElement !== find) {
    event.preventDefault();
    find.focus();
    find.select();
  }
});
search(); // a browser may restore the field's text

// Contents: the section at the top of the window is marked. Where the list
// stands above the page, and not beside it, it is folded.
const contents = document.querySelector('.contents');
const beside = matchMedia('(min-width: 64rem)');
const fold = () => { contents.querySelector('details').open = beside.matches; };
beside.addEventListener('change', fold);
fold();

const linkTo = (id) => contents.querySelector(`a[href="#${id}"]`);

const mark = (id) => {
  const link = linkTo(id);
  if (!link || link.hasAttribute('aria-current')) return;
  contents.querySelector('[aria-current]')?.removeAttribute('aria-current');
  link.setAttribute('aria-current', 'true');
  // Only the list scrolls, and only if it has a scroll bar.
  const { top, bottom } = link.getBoundingClientRect();
  const list = contents.getBoundingClientRect();
  if (top < list.top) contents.scrollTop -= list.top - top + 40;
  if (bottom > list.bottom) contents.scrollTop += bottom - list.bottom + 40;
};

// A thin line below the top of the window crosses one section at a time.
const observer = new IntersectionObserver((changes) => {
  const entered = changes.find((change) => change.isIntersecting);
  if (entered) mark(entered.target.id);
}, { rootMargin: '-15% 0px -84% 0px' });
const sections = document.querySelectorAll('main section[id]');
for (const section of sections) observer.observe(section);
mark(sections[0].id); // at the top of the page, the line is above all sections

// Copy buttons: commands are copied without their output.
const source = (pre) => {
  const copy = pre.cloneNode(true);
  if (pre.id === '') { // commands, not a file
    for (const element of copy.querySelectorAll('.answer, .remark')) element.remove();
  }
  return copy.textContent.split('\n')
    .map((line) => line.trimEnd())
    .filter((line) => line !== '' || pre.id !== '')
    .join('\n');
};

// The clipboard API needs https or loopback; elsewhere the selection is copied.
const copyText = async (text) => {
  if (navigator.clipboard) return navigator.clipboard.writeText(text);
  const area = document.createElement('textarea');
  area.value = text;
  document.body.append(area);
  area.select();
  const done = document.execCommand('copy');
  area.remove();
  if (!done) throw new Error('not allowed');
};

const status = document.createElement('p'); // says to a screen reader what a button did
status.className = 'hidden';
status.setAttribute('role', 'status');
document.body.append(status);

for (const pre of document.querySelectorAll('main pre')) {
  const box = document.createElement('div');
  box.className = 'code';
  const button = document.createElement('button');
  button.type = 'button';
  button.className = 'copy';
  button.textContent = 'Copy';
  button.setAttribute('aria-label', pre.id === '' ? 'Copy the commands' : 'Copy the file');
  pre.replaceWith(box);
  box.append(pre, button);
  let timer;
  button.addEventListener('click', async () => {
    let said = 'Copied';
    try {
      await copyText(source(pre));
    } catch {
      said = 'Not copied';
    }
    button.textContent = status.textContent = said;
    clearTimeout(timer);
    timer = setTimeout(() => {
      button.textContent = 'Copy';
      status.textContent = '';
    }, 2000);
  });
}
