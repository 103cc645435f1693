#!/usr/bin/env bash
# Runs docker_test.py, for Bazel knows no Python here.
exec python3 tests/package/docker_test.py "$@"
