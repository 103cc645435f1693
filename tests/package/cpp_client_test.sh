#!/usr/bin/env bash
# The package libgroupcast-dev: programs outside of this repository are built with it, by pkg-config and by CMake, and
# speak to a service.
set -euo pipefail
source tests/package/cpp_client/trial.sh

FILES=$TEST_TMPDIR/files
dpkg-deb --extract tools/package/libgroupcast-dev.deb "$FILES"
start_service
expect_ways_without_bazel "$FILES/usr" "$FILES/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)/pkgconfig" \
  "$FILES/usr/share/doc/libgroupcast-dev/examples"

finish_tests
