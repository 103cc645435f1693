#!/bin/sh
# Runs a test written for node's built-in runner: run_node_test.sh TEST.js
if ! node -e 'process.exit(parseInt(process.versions.node, 10) < 18 ? 1 : 0)' 2>/dev/null; then
  echo "This test needs node 18 or later in PATH (Debian package nodejs); found: $(node --version 2>&1)." >&2
  exit 1
fi
exec node "$@"
