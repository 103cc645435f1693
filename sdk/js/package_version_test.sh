#!/usr/bin/env bash
# package.json has the version of the file VERSION.
set -euo pipefail

version=$(<VERSION)
if ! grep -qF "\"version\": \"$version\"," sdk/js/package.json; then
  echo "sdk/js/package.json has another version than VERSION, which is $version:"
  grep version sdk/js/package.json
  exit 1
fi
