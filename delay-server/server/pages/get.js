'use strict';
// The page /get: shows the commands for the visitor's system.

// systemOf returns "linux", "darwin" or "windows", or "" for a system that does not run
// the programs. Only pages over TLS or from localhost have userAgentData.
const systemOf = (nav) => {
  const platform = nav.userAgentData?.platform || nav.platform;
  const text = `${platform} ${nav.userAgent}`;
  if (/android|iphone|ipad|ipod/i.test(text) || (/^Mac/.test(platform) && nav.maxTouchPoints > 1)) return '';
  if (/windows|^win/i.test(text)) return 'windows';
  if (/^mac/i.test(platform) || /Macintosh/.test(text)) return 'darwin';
  return 'linux';
};

// architectureOf resolves to "amd64" or "arm64", or to "" where the browser does not say.
const architectureOf = async (nav) => {
  const values = await nav.userAgentData?.getHighEntropyValues(['architecture']).catch(() => undefined);
  if (values?.architecture) return values.architecture === 'arm' ? 'arm64' : 'amd64';
  const known = /aarch64|arm64|x86_64|x86-64|win64/i.exec(`${nav.platform} ${nav.userAgent}`);
  if (!known || /Macintosh/.test(nav.userAgent)) return ''; // each browser on a Mac says Intel
  return /64$/.test(known[0]) && /^a/i.test(known[0]) ? 'arm64' : 'amd64';
};

const showSystem = (system) => {
  for (const part of document.querySelectorAll('.system')) {
    part.hidden = system !== '' && !part.dataset.for.split(' ').includes(system);
  }
  for (const button of document.querySelectorAll('#systems button')) {
    button.setAttribute('aria-pressed', String(button.dataset.os === system));
  }
};

const system = systemOf(navigator);
byId('systems').hidden = false;
byId('phone').hidden = system !== '';
showSystem(system || 'linux');
byId('systems').addEventListener('click', (event) => {
  if (event.target.dataset.os) showSystem(event.target.dataset.os);
});
architectureOf(navigator).then((architecture) => {
  for (const row of document.querySelectorAll('[data-platform]')) {
    const [os, arch] = row.dataset.platform.split('-');
    row.classList.toggle('yours', os === system && (architecture === '' || arch === architecture));
  }
});
