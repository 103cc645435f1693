'use strict';

// A URL of the web. What usually ends a sentence or encloses a URL does not belong to it.
const URL_PATTERN = /\bhttps?:\/\/[^\s<>"']+/gi;
const AFTER_URL_PATTERN = /[.,;:!?)\]}'"»”’]+$/;

/** Divides a text into [{text, href?}]. Only http and https become an href. */
function textParts(text) {
  const parts = [];
  let end = 0;
  const addPlain = (to) => {
    if (to > end) parts.push({text: text.slice(end, to)});
  };
  for (const {0: found, index} of text.matchAll(URL_PATTERN)) {
    const url = found.replace(AFTER_URL_PATTERN, '');
    let href;
    try {
      href = new URL(url).href;
    } catch (error) {
      continue;  // "https://" alone, for example
    }
    addPlain(index);
    parts.push({text: url, href});
    end = index + url.length;
  }
  addPlain(text.length);
  return parts;
}
