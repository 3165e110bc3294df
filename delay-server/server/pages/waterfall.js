'use strict';

const waterfallPause = 1000; // ms between two pictures of a run

// Waterfall shows the server's picture of a run in an element. It fetches the picture with
// the token, which an <img> would not send.
class Waterfall {
  constructor(host) {
    this.host = host;
    this.host.tabIndex = 0; // it scrolls on a narrow screen
    this.host.setAttribute('role', 'region');
    this.host.attachShadow({ mode: 'open' });
  }

  // show shows the picture at a path. The path changes with the run.
  show(run, path) {
    if (path === this.path) return;
    if (run !== this.run) this.host.shadowRoot.replaceChildren();
    [this.run, this.path] = [run, path];
    this.host.setAttribute('aria-label', `Waterfall of run ${run}`);
    if (!this.loading) this.load();
  }

  async load() {
    this.loading = true;
    for (let shown; shown !== this.path;) {
      shown = this.path;
      try {
        const response = await fetch(shown, { headers: token.headers });
        const text = response.ok ? await response.text() : undefined;
        const problem = response.ok ? '' : await problemOf(response);
        if (shown === this.path) this.draw(text, problem);
      } catch { // the next version of the run tries again
      }
      if (shown === this.path) await sleep(waterfallPause);
    }
    this.loading = false;
  }

  // draw takes the text of the picture, or a problem. Its style element would not apply to
  // a page whose policy forbids them; a constructed style sheet does.
  draw(text, problem) {
    const root = this.host.shadowRoot;
    if (text === undefined) {
      root.replaceChildren(problem);
      return;
    }
    const style = /<style>(.*?)<\/style>/s.exec(text);
    const bare = text.replace(style?.[0] ?? '', '');
    const picture = new DOMParser().parseFromString(bare, 'image/svg+xml').documentElement;
    const sheet = new CSSStyleSheet();
    sheet.replaceSync(style?.[1] ?? '');
    const size = new CSSStyleSheet();
    size.replaceSync('svg { display: block; width: 100%; min-width: 42rem; height: auto; }');
    root.adoptedStyleSheets = [sheet, size];
    root.replaceChildren(document.importNode(picture, true));
  }
}
