#!/usr/bin/env bash
# MODULE.bazel beside WORKSPACE; see module_test.py.
exec python3 tests/package/module_test.py
