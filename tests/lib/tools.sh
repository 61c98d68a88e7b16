# Sourced by tests/run, www/start and www/build-wasm: what they install when it is absent, and how they
# say things. Needs bash; the caller has set -euo pipefail and stands in the repository's root.
# shellcheck shell=bash

# A tool that the machine lacks goes here and nowhere else, so that another project's wasm-bindgen, which
# must have exactly that project's version, is left alone. It outlives a clone, since building takes minutes.
tools_root=${POCKETLLM_TOOLS:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/pocketllm/tools}
export PATH="$tools_root/bin:$PATH"

say() { printf '%s\n' "$*" >&2; }

die() {
    say "error: $*"
    exit 1
}

has() { command -v "$1" >/dev/null 2>&1; }

# need COMMAND WHERE-FROM: stops where the person must install something first.
need() { has "$1" || die "\`$1\` is not installed: $2"; }

as_root() {
    if [ "$(id -u)" = 0 ]; then
        "$@"
    elif has sudo; then
        sudo "$@"
    else
        die "installing packages needs root or sudo: $*"
    fi
}

# The version of a crate in Cargo.lock: tool and library must be of the same one.
locked_version() {
    awk -v crate="$1" '$1 == "name" && $3 == "\"" crate "\"" { found = 1 }
        found && $1 == "version" { gsub(/"/, "", $3); print $3; exit }' Cargo.lock
}

# tool_is COMMAND VERSION: is it there, and of this version?
tool_is() { has "$1" && [ "$("$1" --version 2>/dev/null | awk 'NR == 1 { print $2 }')" = "$2" ]; }

# cargo_tool ARGUMENTS: installs a program with cargo. They run for seconds, so they are built fast rather
# than to be fast; one target directory lets them share dependencies. tool_opt_level=0 is for those that
# only start other programs.
cargo_tool() {
    CARGO_TARGET_DIR="$tools_root/build" \
        CARGO_PROFILE_RELEASE_OPT_LEVEL="${tool_opt_level:-1}" \
        CARGO_PROFILE_RELEASE_LTO=off \
        CARGO_PROFILE_RELEASE_CODEGEN_UNITS=16 \
        CARGO_PROFILE_RELEASE_DEBUG=false \
        CARGO_RESOLVER_INCOMPATIBLE_RUST_VERSIONS=fallback \
        cargo install --quiet --root "$tools_root" "$@"
}

install_wasm_target() {
    need cargo "install Rust from https://rustup.rs"
    # The compiler of rust-toolchain.toml; a distribution's own Rust has no rustup and may have the target.
    [ -d "$(rustc --print sysroot)/lib/rustlib/wasm32-unknown-unknown" ] && return
    need rustup "the compiler lacks its wasm32-unknown-unknown target, and only rustup can add it"
    say "adding the wasm32-unknown-unknown target"
    rustup target add wasm32-unknown-unknown
}

install_wasm_bindgen() {
    local version
    version=$(locked_version wasm-bindgen)
    [ -n "$version" ] || die "Cargo.lock names no version of wasm-bindgen"
    if tool_is wasm-bindgen "$version" && tool_is wasm-bindgen-test-runner "$version"; then return; fi
    say "building wasm-bindgen $version (a minute or two, once)"
    # Its own lock file names a crate that was withdrawn, so it cannot be asked for with --locked. TLS is
    # left out: the test runner talks to a browser on this machine.
    cargo_tool --no-default-features --version "=$version" wasm-bindgen-cli
}

# The site's packages, when package-lock.json asks for others than those that are there.
install_npm_packages() {
    need npm "install Node 20 or newer from https://nodejs.org"
    local stamp=www/node_modules/.package-lock.stamp
    if [ -f "$stamp" ] && cmp -s "$stamp" www/package-lock.json; then return; fi
    say "installing the site's npm packages"
    npm --prefix www ci --no-audit --no-fund
    cp www/package-lock.json "$stamp"
}
