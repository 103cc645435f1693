'use strict';

// The few things that the views of this page share.

const $ = (id) => document.getElementById(id);

/** A new element with this text, in the direction of its text. */
function element(tag, className, text) {
  const made = document.createElement(tag);
  if (className) made.className = className;
  if (text !== undefined) {
    made.dir = 'auto';
    made.textContent = text;
  }
  return made;
}

function svgElement(tag, attributes) {
  const made = document.createElementNS('http://www.w3.org/2000/svg', tag);
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

/** Writes a text only if it differs: a live region is read aloud when it is written. */
function setText(target, text) {
  if (target.textContent !== text) target.textContent = text;
}

/** A function that calls `render` once, soon, however often it is called until then; also in a hidden page. */
function soon(render) {
  let isDue = false;
  return () => {
    if (isDue) return;
    isDue = true;
    queueMicrotask(() => {
      isDue = false;
      render();
    });
  };
}

/**
 * Keeps the end of a scrolled element in sight, unless the person has scrolled up to read. Returns what to call when
 * the element has got more.
 */
function keepAtEnd(scrolled) {
  let isAtEnd = true;
  const keep = () => {
    if (isAtEnd) scrolled.scrollTop = scrolled.scrollHeight;
  };
  scrolled.addEventListener('scroll', () => {
    isAtEnd = scrolled.scrollHeight - scrolled.scrollTop - scrolled.clientHeight < 80;
  });
  new ResizeObserver(keep).observe(scrolled);
  return keep;
}
