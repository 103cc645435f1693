// Writes compile_commands.json, for clang-tidy and editors, from what Bazel would run:
//
//   bazel aquery --output=jsonproto 'mnemonic("CppCompile", //...)' | node compile_commands.js ROOT OUTPUT_BASE
//
// prints it. Paths become such as hold in the checkout ROOT, which sees bazel-out but not external/.
'use strict';

const fs = require('fs');

const [root, outputBase] = process.argv.slice(2);

function toEntry({arguments: words}) {
  const source = words[words.indexOf('-c') + 1];
  return {
    directory: root,
    file: source,
    arguments: words
        // GCC's; clang does not know it.
        .filter((word) => word !== '-fno-canonical-system-headers')
        .map((word) => word.replace(/^(-I|-isystem|-iquote)?external\//, `$1${outputBase}/external/`)),
  };
}

const {actions = []} = JSON.parse(fs.readFileSync(0, 'utf8'));
// Bazel may compile a file twice, with and without -fPIC; one entry a file is enough.
const entries = new Map(actions.map(toEntry).map((entry) => [entry.file, entry]));
const ours = [...entries.values()]
    .filter(({file}) => file.endsWith('.cc') && !/^(external|bazel-out)\//.test(file));
console.log(JSON.stringify(ours, null, 1));
