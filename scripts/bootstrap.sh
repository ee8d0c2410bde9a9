#!/bin/sh
# Gets what cargo itself needs, a C compiler and a Rust toolchain, then hands over to `cargo xtask <task>`.
set -eu

# The oldest Rust that builds the workspace: `rust-version` in Cargo.toml.
min_minor=95

fail() {
    printf 'bootstrap: %s\n' "$1" >&2
    exit 1
}

as_root_apt() {
    command -v apt-get >/dev/null 2>&1 ||
        fail "this is no Debian system; install by hand, then try again: $*"
    [ "$(id -u)" = 0 ] || fail "not root; run this, then try again: apt-get install $*"
    printf 'bootstrap: installing %s\n' "$*"
    # --no-remove: nothing that the machine's owner chose is thrown out for ours.
    install="apt-get -qq -o DPkg::Lock::Timeout=300 install --yes --no-install-recommends --no-remove"
    export DEBIAN_FRONTEND=noninteractive
    log=$(mktemp)
    # shellcheck disable=SC2086 # the words of $install are meant to be split
    if ! $install "$@" >"$log" 2>&1; then
        # The package lists may be absent or stale.
        apt-get -qq update >>"$log" 2>&1 || true
        if ! $install "$@" >>"$log" 2>&1; then
            cat "$log" >&2
            rm -f "$log"
            fail "apt cannot install $*; see its words above"
        fi
    fi
    rm -f "$log"
}

# Whether the cargo and rustc on PATH exist and are new enough.
rust_is_new_enough() {
    command -v cargo >/dev/null 2>&1 || return 1
    minor=$(rustc --version 2>/dev/null | sed -n 's/^rustc 1\.\([0-9]*\)\..*/\1/p')
    [ -n "$minor" ] && [ "$minor" -ge "$min_minor" ]
}

wanted=
command -v cc >/dev/null 2>&1 || wanted="$wanted gcc libc6-dev"
command -v pkg-config >/dev/null 2>&1 || wanted="$wanted pkg-config"
[ -e /etc/ssl/certs/ca-certificates.crt ] || wanted="$wanted ca-certificates"
# shellcheck disable=SC2086 # a list of package names
[ -z "$wanted" ] || as_root_apt $wanted

if ! rust_is_new_enough && [ -x "${CARGO_HOME:-$HOME/.cargo}/bin/cargo" ]; then
    PATH="${CARGO_HOME:-$HOME/.cargo}/bin:$PATH"
    export PATH
fi
if ! rust_is_new_enough && command -v rustup >/dev/null 2>&1; then
    printf 'bootstrap: asking rustup for the stable toolchain\n'
    if rustup toolchain install stable --profile minimal --component rustfmt --component clippy; then
        RUSTUP_TOOLCHAIN=stable
        export RUSTUP_TOOLCHAIN
    fi
fi
if ! rust_is_new_enough; then
    as_root_apt rustc-web cargo-web
    PATH="/usr/bin:$PATH"
    export PATH
fi
rust_is_new_enough ||
    fail "Rust 1.$min_minor or newer is needed and neither rustup nor apt gave it; install it from rustup.rs, then try again"

if [ -z "${CARGO_TARGET_DIR:-}" ]; then
    # Outside the clone, so that a fresh clone finds what an earlier one built.
    CARGO_TARGET_DIR="${XDG_CACHE_HOME:-$HOME/.cache}/podium/target"
    export CARGO_TARGET_DIR
fi

cd "$(dirname "$0")/.."

# Cargo tells a clone's crates from another clone's by nothing but the age of their files. Where another clone used
# this build folder last, ours must be younger than what that one built.
mkdir -p "$CARGO_TARGET_DIR"
owner="$CARGO_TARGET_DIR/podium-clone"
if [ "$(cat "$owner" 2>/dev/null)" != "$PWD" ]; then
    find app crates frontend server tests xtask migrations .sqlx -type f \
        \( -name '*.rs' -o -name '*.sql' -o -name '*.json' \) -exec touch {} + 2>/dev/null || true
    printf '%s\n' "$PWD" >"$owner"
fi

printf 'bootstrap: %s, build folder %s\n' "$(rustc --version)" "$CARGO_TARGET_DIR"
exec cargo xtask "$@"
