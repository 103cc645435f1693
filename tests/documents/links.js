// Reads Markdown as far as its links need it: headings, and links to other places of the project.
'use strict';

const fs = require('fs');
const path = require('path');

// The text without code and without comments, in which nothing is a link or a heading. Lines keep their numbers.
function withoutCode(text) {
  let fence = null;
  let inComment = false;
  return text.split('\n').map((line) => {
    if (fence === null && (inComment || line.startsWith('<!--'))) {
      inComment = !line.includes('-->');
      return '';
    }
    const mark = line.match(/^\s*(```+|~~~+)/);
    if (fence !== null) {
      if (mark && line.trim() === fence) fence = null;
      return '';
    }
    if (mark) {
      fence = mark[1];
      return '';
    }
    return line;
  });
}

// The anchors of a document, as GitHub makes them from its headings.
function anchorsOf(text) {
  const anchors = new Set();
  for (const line of withoutCode(text)) {
    for (const [, id] of line.matchAll(/<a (?:id|name)="([^"]+)"/g)) anchors.add(id);
    const heading = line.match(/^#{1,6}\s+(.*?)\s*#*$/);
    if (!heading) continue;
    const words = heading[1].replace(/\[([^\]]*)\]\([^)]*\)/g, '$1');
    const anchor = words.toLowerCase().replace(/[^\p{L}\p{N}\p{M}_\- ]/gu, '').replace(/ /g, '-');
    let unique = anchor;
    for (let n = 1; anchors.has(unique); ++n) unique = `${anchor}-${n}`;
    anchors.add(unique);
  }
  return anchors;
}

// The links of a document that lead to the project itself: {line, target}.
function linksOf(text) {
  const links = [];
  withoutCode(text).forEach((line, index) => {
    const prose = line.replace(/`[^`]*`/g, '');
    const targets = [...prose.matchAll(/\]\(\s*<?([^)\s>]+)>?[^)]*\)/g),
                     ...prose.matchAll(/^\s*\[[^\]]+\]:\s*(\S+)/g)];
    for (const [, target] of targets) {
      if (!/^[a-z][a-z0-9+.-]*:/i.test(target)) links.push({line: index + 1, target});
    }
  });
  return links;
}

// What is wrong with the links of the document `file`: one sentence for each.
function brokenLinks(file) {
  const problems = [];
  for (const {line, target} of linksOf(fs.readFileSync(file, 'utf8'))) {
    const [place, anchor] = target.split('#');
    const other = place === '' ? file : path.join(path.dirname(file), decodeURIComponent(place));
    const where = `${file}:${line}: ${target}`;
    if (!fs.existsSync(other)) {
      problems.push(`${where}: there is no such file`);
    } else if (anchor !== undefined && other.endsWith('.md') &&
               !anchorsOf(fs.readFileSync(other, 'utf8')).has(decodeURIComponent(anchor))) {
      problems.push(`${where}: there is no such heading`);
    }
  }
  return problems;
}

module.exports = {anchorsOf, brokenLinks, linksOf};
