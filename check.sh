#!/usr/bin/env bash
# What CI runs: format, lints, documentation, tests. Ends at the first step that fails, with its exit code.
# Installs what the build needs where it is missing; downloads nothing but crates.
set -euo pipefail
cd -- "$(dirname -- "${BASH_SOURCE[0]}")"
# shellcheck source=.ci/prepare.sh
. .ci/prepare.sh

duration() {
    printf '%d min %d s' $(($1 / 60)) $(($1 % 60))
}

# need_component PROGRAM COMPONENT: cargo's format and lint commands are parts of the toolchain that can be left out.
need_component() {
    if cargo "$1" --version >/dev/null 2>&1; then
        return 0
    fi
    if command -v rustup >/dev/null; then
        echo "Missing: the toolchain's component $2; adding it with rustup"
        rustup component add "$2" && return 0
    fi
    fail 1 "cargo $1 is missing" "With rustup: rustup component add $2" \
        "Rust from elsewhere: install its package for $2 (often rust-$2). Then run $0 again."
}

# step NAME ADVICE COMMAND..: one headed step.
step() {
    local name=$1 advice=$2 began=$SECONDS code=0
    shift 2
    heading "$name"
    "$@" || code=$?
    if [ "$code" -ne 0 ]; then
        echo "total time: $(duration "$SECONDS")"
        fail "$code" "$name, after $(duration $((SECONDS - began)))" "$advice"
    fi
    echo "$name: passed in $(duration $((SECONDS - began)))"
}

# cargo fmt does not see modules that a macro declares (src/optim); so every file is checked by name.
check_format() {
    cargo fmt --check && find src tests benches examples -name '*.rs' -exec rustfmt --edition 2024 --check {} +
}

# Runs all tests, also after one has failed, and adds up the counts of the test programs.
run_tests() {
    local log code=0
    log=$(mktemp)
    cargo test --locked --no-fail-fast 2>&1 | tee "$log" || code=$?
    echo
    awk '/^test result:/ { passed += $4; failed += $6; ignored += $8 }
        END { printf "%d passed, %d failed, %d skipped\n", passed, failed, ignored }' "$log"
    rm -f "$log"
    return "$code"
}

leave_root "$@"
heading "What the checks need"
need_rust
need_component fmt rustfmt
need_component clippy clippy
need_tools

step "Format" "Run: cargo fmt, and rustfmt for files that only a list names" check_format
step "Lints" "Mend what stands above; every warning counts." cargo clippy --all-targets --locked -- -D warnings
if cargo deny --version >/dev/null 2>&1; then
    step "Crates" "deny.toml says what crates may bring." cargo deny --locked check
else
    echo "Crates: not checked, cargo-deny is not installed (cargo install cargo-deny)"
fi
step "Documentation" "Mend what stands above; every warning counts." \
    env RUSTDOCFLAGS="-D warnings" cargo doc --no-deps --locked
step "Tests" "One test alone: cargo test NAME" run_tests

heading "All checks passed"
echo "total time: $(duration "$SECONDS")"
