#!/bin/sh
# Runs the unit tests as on an Arm machine (NEON), emulated. On Debian and its like:
#   apt install qemu-user gcc-aarch64-linux-gnu && rustup target add aarch64-unknown-linux-gnu
set -eu
cd "$(dirname "$0")/.."
export CC_aarch64_unknown_linux_gnu=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_LINKER=aarch64-linux-gnu-gcc
export CARGO_TARGET_AARCH64_UNKNOWN_LINUX_GNU_RUNNER="qemu-aarch64 -L /usr/aarch64-linux-gnu"
exec cargo test --locked --release --target aarch64-unknown-linux-gnu --lib "$@"
