// Small helpers for the page.

export const $ = (id) => document.getElementById(id);

/** An element with a text or children. Whatever comes from clients is shown as text. */
export function element(tag, {className = '', text = null, title = null, children = [], attributes = {}} = {}) {
  const made = document.createElement(tag);
  if (className !== '') made.className = className;
  if (text !== null) made.textContent = text;
  if (title !== null) made.title = title;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  made.append(...children);
  return made;
}

/** Changes a text only if it is another one: a live region is read aloud when it changes. */
export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** Gives `parent` one child for each item and keeps the children of before: focus and scrolling stay. */
export function updateList(parent, items, keyOf, make, update) {
  const known = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  const stale = new Set(parent.children);
  const focused = document.activeElement;
  let at = parent.firstElementChild;
  for (const item of items) {
    const key = String(keyOf(item));
    let child = known.get(key);
    if (!child) {
      child = make(item);
      child.dataset.key = key;
    }
    stale.delete(child);
    if (child === at) {
      at = at.nextElementSibling;
    } else {
      parent.insertBefore(child, at);
    }
    update(child, item);
  }
  for (const child of stale) child.remove();
  // An element that moves loses the focus.
  if (document.activeElement !== focused && parent.contains(focused)) focused.focus({preventScroll: true});
}
