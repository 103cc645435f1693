#!/usr/bin/env bash
# tools/api_docs: the pages have the calls, and what is not explained is an error.
set -euo pipefail
source tools/lib/testing.sh
source tools/lib/console.sh

REAL=$(dirname "$(dirname "$(readlink -f tools/api_docs)")")
if [[ ! -d $REAL/sdk/js/node_modules/typedoc ]]; then
  complain "The npm packages of sdk/js are not installed: run tools/test, which installs them."
  exit 1
fi

# A checkout of its own, so that it can have mistakes.
CHECKOUT=$TEST_TMPDIR/checkout
mkdir -p "$CHECKOUT/tools/lib" "$CHECKOUT/sdk/js" "$CHECKOUT/sdk/cpp"
cp "$REAL/VERSION" "$CHECKOUT"
cp "$REAL/tools/api_docs" "$CHECKOUT/tools"
cp -r "$REAL/tools/lib/"{api_docs,*.sh} "$CHECKOUT/tools/lib"
cp -r "$REAL/sdk/cpp/groupcast" "$CHECKOUT/sdk/cpp"
cp "$REAL/sdk/js/groupcast.d.ts" "$REAL/sdk/js/package.json" "$CHECKOUT/sdk/js"
ln -s "$REAL/sdk/js/node_modules" "$CHECKOUT/sdk/js"
HEADER=$CHECKOUT/sdk/cpp/groupcast/types.h
TYPES=$CHECKOUT/sdk/js/groupcast.d.ts
OUT="$TEST_TMPDIR/api docs"

make_docs() { run "$CHECKOUT/tools/api_docs" --no_install --out="$OUT"; }

make_docs
expect_equal "the pages of this version have no mistake" "$status" 0
expect_contains "their place is told" "$output" "$OUT/index.html"
expect_contains "the first page leads to both SDKs" "$(<"$OUT/index.html")" 'href="cpp/index.html"'
client=$(<"$OUT/cpp/classgroupcast_1_1Client.html")
expect_contains "C++ has the calls" "$client" "Makes this client a member of the group"
expect_contains "with their errors" "$client" "kResourceExhausted"
expect_contains "and the words of callbacks" "$(<"$OUT/cpp/namespacegroupcast.html")" "MessageCallback"
expect_contains "and the server for tests" "$(<"$OUT/cpp/classgroupcast_1_1FakeServer.html")" "The test may then make it fail"
expect_contains "JavaScript has the calls" "$(<"$OUT/js/classes/Client.html")" "Resolves with the message"
for sdk in cpp js; do
  run test -s "$OUT/$sdk/index.html"
  expect_equal "the first page leads to $sdk" "$status" 0
done

# Each header that users get has its page.
for header; do
  expect_contains "$header has a page" "$(<"$REAL/tools/lib/api_docs/Doxyfile")" "sdk/cpp/groupcast/${header#*/groupcast/}"
done

printf '%s\n' 'namespace groupcast {' 'int Unexplained();' '' '// As \ref NothingLikeThat.' 'int Explained();' '}' >>"$HEADER"
make_docs
expect_equal "mistakes in a header are errors" "$status" 1
expect_contains "a call without a comment" "$output" "Unexplained"
expect_contains "and a reference to nothing" "$output" "NothingLikeThat"
cp "$REAL/sdk/cpp/groupcast/types.h" "$HEADER"

printf '\nexport function unexplained(): void;\n/** As {@link NothingLikeThat}. */\nexport function explained(): void;\n' >>"$TYPES"
make_docs
expect_equal "mistakes in the types are errors" "$status" 1
expect_contains "a function without a comment" "$output" "unexplained"
expect_contains "and a link to nothing" "$output" "NothingLikeThat"

run "$CHECKOUT/tools/api_docs" --outt=x
expect_equal "an unknown option is refused" "$status" 2
expect_contains "with the nearest one" "$output" "Did you mean --out?"

finish_tests
