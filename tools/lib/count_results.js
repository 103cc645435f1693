// Counts test cases from what Bazel recorded: node count_results.js EVENTS
//
// EVENTS is the file of --build_event_json_file. Each test that ran (target, run and shard; of several
// attempts the last) is counted case by case from its test.xml. What could not run counts too: a test
// that was not built, or ended badly with no failed case to show for it, is one failed; so is a run of
// Bazel that failed without any failed test, or whose events break off. Prints the failed ones and then
// "N passed, N failed" (", N skipped" if any); the exit code is 0 if something passed and nothing failed.
'use strict';

const fs = require('fs');

function readEvents(path) {
  const events = [];
  for (const line of fs.readFileSync(path, 'utf8').split('\n')) {
    try {
      events.push(JSON.parse(line));
    } catch {
      // The last line of a Bazel that was killed; the missing buildFinished event then tells.
    }
  }
  return events;
}

// The cases of a test.xml as {name, outcome}. Texts are in CDATA or escaped, so tags are found safely.
function readCases(xml) {
  const markup = xml.replace(/<!\[CDATA\[[^]*?\]\]>|<!--[^]*?-->/g, '');
  return markup.split(/<testcase(?=[\s>\/])/).slice(1).map((text) => {
    const attributes = text.slice(0, text.indexOf('>'));
    const attribute = (name) => (new RegExp(`\\s${name}="([^"]*)"`).exec(attributes) || [])[1] || '';
    let outcome = 'passed';
    if (/<(failure|error)[\s>\/]/.test(text)) outcome = 'failed';
    else if (/<skipped[\s>\/]/.test(text) || attribute('status') === 'notrun') outcome = 'skipped';
    return {name: [attribute('classname'), attribute('name')].filter(Boolean).join('.'), outcome};
  });
}

function count(events, readFile) {
  const counts = {passed: 0, failed: 0, skipped: 0};
  const failures = [];
  const fail = (what) => {
    counts.failed++;
    failures.push(what);
  };

  const tests = new Set();     // labels of test targets
  const unbuilt = new Set();   // those that could not be built
  const results = new Map();   // target, run and shard -> its last attempt
  let exitCode = 'no end';
  for (const event of events) {
    const {targetConfigured, targetCompleted, testResult, buildFinished} = event.id;
    if (targetConfigured && event.configured && event.configured.testSize) {
      tests.add(targetConfigured.label);
    } else if (targetCompleted && tests.has(targetCompleted.label)) {
      if (!(event.completed && event.completed.success)) unbuilt.add(targetCompleted.label);
    } else if (testResult && event.testResult) {
      const key = [testResult.label, testResult.run, testResult.shard].join(' ');
      const earlier = results.get(key);
      if (!earlier || earlier.id.testResult.attempt < testResult.attempt) results.set(key, event);
    } else if (buildFinished && event.finished) {
      exitCode = event.finished.exitCode.name;
    }
  }

  for (const {id, testResult: {status, testActionOutput = []}} of results.values()) {
    const label = id.testResult.label;
    const xml = testActionOutput.find((output) => output.name === 'test.xml');
    const cases = xml ? readCases(readFile(new URL(xml.uri))) : [];
    for (const {name, outcome} of cases) {
      if (outcome === 'failed') fail(`${label} ${name}`);
      else counts[outcome]++;
    }
    if (status !== 'PASSED' && !cases.some((each) => each.outcome === 'failed')) {
      fail(`${label} (${status})`);
    }
  }
  for (const label of unbuilt) fail(`${label} (not built)`);
  if (exitCode !== 'SUCCESS' && counts.failed === 0) fail(`bazel (${exitCode})`);
  return {counts, failures};
}

function summary({passed, failed, skipped}) {
  return `${passed} passed, ${failed} failed` + (skipped ? `, ${skipped} skipped` : '');
}

if (require.main === module) {
  const {counts, failures} =
      count(readEvents(process.argv[2]), (url) => fs.readFileSync(url, 'utf8'));
  for (const failure of failures) console.log(`FAILED ${failure}`);
  console.log(summary(counts));
  process.exitCode = counts.passed > 0 && counts.failed === 0 ? 0 : 1;
}
