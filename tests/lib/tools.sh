# Sourced by tests/run, www/start and www/build-wasm: how they install what is absent, and how they print
# messages. Needs bash. The caller has set -euo pipefail, and its working directory is the repository's root.
# shellcheck shell=bash

# A tool that the machine lacks is installed here and nowhere else, so that another project's wasm-bindgen, which
# must have exactly that project's version, is left alone. The folder outlives a clone, since building takes minutes.
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

# The version of a crate in Cargo.lock: tool and library must have the same version.
locked_version() {
    awk -v crate="$1" '$1 == "name" && $3 == "\"" crate "\"" { found = 1 }
        found && $1 == "version" { gsub(/"/, "", $3); print $3; exit }' Cargo.lock
}

# tool_is COMMAND VERSION: is it there, and of this version?
tool_is() { has "$1" && [ "$("$1" --version 2>/dev/null | awk 'NR == 1 { print $2 }')" = "$2" ]; }

# cargo_tool ARGUMENTS: installs a program with cargo. The programs run for seconds, so a fast build matters more
# than a fast program. One target directory lets them share dependencies. tool_opt_level=0 is for programs
# that only start other programs.
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
    # Its own lock file names a crate that was withdrawn, so it cannot be installed with --locked. TLS is
    # left out, because the test runner talks to a browser on this machine.
    cargo_tool --no-default-features --version "=$version" wasm-bindgen-cli
}

# Installs the site's packages if they are not those of package-lock.json.
install_npm_packages() {
    need npm "install Node 20 or newer from https://nodejs.org"
    local stamp=www/node_modules/.package-lock.stamp
    if [ -f "$stamp" ] && cmp -s "$stamp" www/package-lock.json; then return; fi
    say "installing the site's npm packages"
    npm --prefix www ci --no-audit --no-fund
    cp www/package-lock.json "$stamp"
}
