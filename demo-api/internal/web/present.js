'use strict';
// The race as slides: the figures fill the screen, and keys start it.

const isPresenting = () => document.body.classList.contains('presenting');

// setPresenting starts or ends the slides. Without permission for the whole screen,
// they fill the window.
const setPresenting = (on) => {
  if (on === isPresenting()) return;
  document.body.classList.toggle('presenting', on);
  keepURL();
  if (on) {
    byId('stage').focus();
    document.documentElement.requestFullscreen?.().catch(() => {});
  } else {
    if (document.fullscreenElement) document.exitFullscreen().catch(() => {});
    byId('present').focus();
  }
  requestFrame();
};

byId('present').addEventListener('click', () => setPresenting(true));
byId('leave')?.addEventListener('click', () => setPresenting(false));

// Esc leaves the whole screen without an event of its key.
document.addEventListener('fullscreenchange', () => { if (!document.fullscreenElement) setPresenting(false); });

const startRace = () => form.requestSubmit(form.querySelector('button'));

document.addEventListener('keydown', (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey || event.shiftKey || event.repeat) return;
  if (event.target.closest('input, select, textarea, [contenteditable]')) return;
  const key = event.key.toLowerCase();
  if (key === 'p') setPresenting(!isPresenting());
  else if (!isPresenting()) return;
  else if (key === 'escape') setPresenting(false);
  else if ((key === ' ' || key === 'enter') && !event.target.closest('a, button')) startRace();
  else if (/^[1-9]$/.test(key)) {
    const link = document.querySelectorAll('.presets a')[key - 1];
    if (!link) return;
    choosePreset(link);
  } else return;
  event.preventDefault();
});

if (new URLSearchParams(location.search).get('present') === '1') setPresenting(true);
