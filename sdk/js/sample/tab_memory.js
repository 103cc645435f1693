'use strict';

// What a tab knows again after a reload. It lies in sessionStorage only from the end of a page to the beginning of the
// next one. So a tab that is duplicated while the page is open finds nothing, and two tabs never have one session.

const TAB_MEMORY_KEY = 'groupcast.sample';

class TabMemory {
  /** `remember()` returns what is to be known again, as JSON can carry it. */
  constructor(remember) {
    this.remembered = this._take();
    addEventListener('pagehide', () => this._keep(remember()));
    // A page that comes back whole, from the browser's cache, still has everything.
    addEventListener('pageshow', (event) => event.persisted && this._take());
  }

  _take() {
    try {
      const text = sessionStorage.getItem(TAB_MEMORY_KEY);
      sessionStorage.removeItem(TAB_MEMORY_KEY);
      return JSON.parse(text) || {};
    } catch (error) {
      return {};  // no storage, or not what this page has stored
    }
  }

  _keep(value) {
    try {
      sessionStorage.setItem(TAB_MEMORY_KEY, JSON.stringify(value));
    } catch (error) {
      // No storage, or no room: the next page begins anew.
    }
  }
}
