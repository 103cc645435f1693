#!/usr/bin/env bash
# tools/mutations --pattern: what it changes, and that it sees what is noticed and what survives.
exec python3 "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")/mutants/mutants_test.py"
