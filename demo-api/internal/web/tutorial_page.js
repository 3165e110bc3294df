'use strict';
// The tabs, the copy buttons and the list of steps of the tutorial.

const tabs = [...document.querySelectorAll('[role=tab]')];
const choiceKey = 'tutorial-language';

// chooseLanguage shows a language in all steps.
const chooseLanguage = (language) => {
  for (const tab of tabs) {
    const chosen = tab.dataset.language === language;
    tab.setAttribute('aria-selected', chosen);
    tab.tabIndex = chosen ? 0 : -1;
    byId(tab.getAttribute('aria-controls')).hidden = !chosen;
  }
};

// choose shows the language of a tab, and remembers it. The tab stays where it is on the
// screen, although the code above may be longer or shorter now.
const choose = (tab) => {
  const { top } = tab.getBoundingClientRect();
  chooseLanguage(tab.dataset.language);
  scrollBy({ top: tab.getBoundingClientRect().top - top, behavior: 'instant' });
  try {
    localStorage.setItem(choiceKey, tab.dataset.language);
  } catch { /* no storage: the choice lasts as long as the page */ }
};

for (const tab of tabs) {
  tab.addEventListener('click', () => choose(tab));
  tab.addEventListener('keydown', (event) => {
    const siblings = [...tab.parentElement.children];
    const at = siblings.indexOf(tab);
    const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: -1 }[event.key];
    if (to === undefined) return;
    event.preventDefault();
    const next = siblings.at(to % siblings.length);
    choose(next);
    next.focus({ preventScroll: true });
  });
}

try {
  const language = localStorage.getItem(choiceKey);
  if (tabs.some((tab) => tab.dataset.language === language)) chooseLanguage(language);
} catch { /* no storage */ }

for (const button of document.querySelectorAll('button[data-copy]')) {
  button.addEventListener('click', async () => {
    const source = byId(button.dataset.copy);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = 'Copied';
    } catch { // no clipboard without TLS beyond localhost: copy the selection instead
      getSelection().selectAllChildren(source);
      const isMac = /^(Mac|iP)/.test(navigator.platform);
      button.textContent = document.execCommand('copy') ? 'Copied' : `Press ${isMac ? '⌘C' : 'Ctrl+C'}`;
    }
    byId('status').textContent = button.textContent;
    setTimeout(() => { button.textContent = 'Copy'; }, 1500);
  });
}

const stepLink = (section) => document.querySelector(`.progress a[href="#${section.getAttribute('aria-labelledby')}"]`);

// markDone marks a step as run in the list of steps.
const markDone = (section) => {
  const link = stepLink(section);
  if (!link || link.classList.contains('done')) return;
  link.classList.add('done');
  const mark = document.createElement('span');
  mark.className = 'visually-hidden';
  mark.textContent = ' (run)';
  link.append(mark);
};

// The current step is the last section whose top is in the upper half of the window.
const sections = [...document.querySelectorAll('main section')];
const markCurrent = () => {
  const begun = sections.filter((section) => section.getBoundingClientRect().top < innerHeight / 2);
  const current = stepLink(begun.filter(stepLink).at(-1) ?? sections[0]);
  for (const link of document.querySelectorAll('.progress a')) {
    if (link === current) link.setAttribute('aria-current', 'step');
    else link.removeAttribute('aria-current');
  }
};
const observer = new IntersectionObserver(markCurrent, { rootMargin: '0px 0px -50% 0px' });
for (const section of sections) observer.observe(section);
