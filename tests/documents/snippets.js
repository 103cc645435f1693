'use strict';

// Reads the code of a page, in the order in which a reader meets it.
//
// Each fenced block has a comment directly above it, which readers do not see. It says what the test does with the block:
//
//   services        the block calls tools/up. The real services start with its options, on free ports
//   install         the block calls tools/install. The C++ client of this build is unpacked there instead
//   file: NAME      writes the block as NAME in the reader's folder
//   run             runs the block with bash, as a reader would paste it. It must succeed
//   start: NAME     the same in a second terminal. It must go on until the page ends
//   type: NAME      types the block into the terminal NAME, or into the first field of the page NAME
//   around: NAME    the block is a part of the program NAME. The rest follows in the comment, with a line @@ for the
//                   block. The program must succeed. Its language follows from NAME
//   console: URL    pastes the block into the console of the page at URL
//   prints          the output of the block before, as a whole. `…` stands for a part of a line, and alone for lines
//   prints: NAME    what comes next in the terminal or page NAME
//   shown           a picture, or output that no step of the page makes
//   theirs          code of another product. It is not run
//   by hand: WHY    what no test can do. It is not run
//
// A comment without a block is an act of the reader:
//
//   after: node     the reader has done the quick start for Node already: the services run, the packages are installed
//   after: services the services run
//   after: cmake    the reader has done the quick start for C++ already: the client is installed as well
//   open: NAME      opens the file NAME in a browser
//   joined: GROUP   waits until somebody is in the group
//   stop: NAME      presses Ctrl-C in the terminal NAME
//   restart         the services are stopped and come back

const NEEDS_BLOCK = ['services', 'install', 'file', 'run', 'start', 'type', 'around', 'console', 'prints', 'shown', 'theirs', 'by hand'];
const NEEDS_NAME = ['file', 'start', 'type', 'around', 'console', 'by hand', 'open', 'joined', 'stop', 'after'];
const ALONE = ['after', 'open', 'joined', 'stop', 'restart'];

// {steps: [{kind, name, rest, language, code, line}], problems: [sentence]} of a page.
function readPage(text) {
  const lines = text.split('\n');
  const steps = [];
  const problems = [];
  const say = (line, sentence) => problems.push(`line ${line}: ${sentence}`);
  let marker = null;  // without its block yet
  let inList = false;
  for (let i = 0; i < lines.length; ++i) {
    const line = i + 1;
    const fence = lines[i].match(/^(\s*)(```+|~~~+)\s*(\S*)/);
    if (marker !== null && !fence) {
      say(marker.line, `"${marker.kind}" has no block below it`);
      marker = null;
    }
    if (lines[i].startsWith('<!--')) {
      const comment = [lines[i]];
      while (!lines[i].includes('-->') && i + 1 < lines.length) comment.push(lines[++i]);
      const [head, ...rest] = comment.join('\n').replace(/^<!--\s*/, '').replace(/\s*-->\s*$/, '').split('\n');
      const [, kind, name] = head.match(/^([a-z ]+?)(?::\s*(.*))?$/) || [null, head, undefined];
      const step = {kind, name, rest: rest.join('\n'), language: '', code: '', line};
      if (!NEEDS_BLOCK.includes(kind) && !ALONE.includes(kind)) {
        say(line, `there is no marker "${head}"`);
      } else if (NEEDS_NAME.includes(kind) && !name) {
        say(line, `"${kind}" needs a name`);
      } else if (ALONE.includes(kind)) {
        steps.push(step);
      } else {
        marker = step;
      }
    } else if (fence) {
      const code = [];
      while (++i < lines.length && lines[i].trim() !== fence[2]) code.push(lines[i].replace(fence[1], ''));
      if (i === lines.length) say(line, 'the block has no end');
      if (marker === null) {
        say(line, 'the block has no marker');
      } else {
        steps.push({...marker, language: fence[3], code: code.join('\n') + '\n', line});
        marker = null;
      }
    } else if (/^ {4}\S/.test(lines[i]) && !inList) {
      say(line, 'a block that is only indented cannot have a marker; use a fence');
    }
    if (/^\s*([-*]|\d+\.)\s/.test(lines[i])) inList = true;
    else if (/^\S/.test(lines[i] || '')) inList = false;
  }
  if (marker !== null) say(marker.line, `"${marker.kind}" has no block below it`);
  return {steps, problems};
}

// A pattern for output: `…` in a line stands for anything there, and alone in a line for any lines.
function outputPattern(expected) {
  const lines = expected.trim().split('\n').map((line) => {
    if (line.trim() === '…') return '(?:.*\\n)*?';
    return line.trimEnd().replace(/[.*+?^${}()|[\]\\]/g, '\\$&').replaceAll('…', '.*') + '[ \\t]*\\n';
  });
  return lines.join('');
}

module.exports = {outputPattern, readPage};
