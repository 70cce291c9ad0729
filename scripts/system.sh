#!/usr/bin/env bash
# What no Python package can bring. `sandbox`: bubblewrap, unless a Docker engine answers. `test`: that, an engine and
# an editor to drive, all three as far as possible; tests that miss one skip and say so. Calls apt for what is missing only.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

for_sandbox() {
    command -v bwrap >/dev/null && return 0
    docker_answers && return 0
    apt_install bubblewrap ||
        die "CodeAct runs a model's code in a sandbox only: it needs bubblewrap or a running Docker engine."
}

for_tests() {
    local missing=()
    command -v bwrap >/dev/null || missing+=(bubblewrap)
    command -v dockerd >/dev/null || docker_answers || missing+=(docker.io)
    command -v nvim >/dev/null || missing+=(neovim)
    [ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}" || echo "Going on without: ${missing[*]}"
}

docker_answers() {
    timeout 10 .venv/bin/python -c 'import docker; docker.from_env(timeout=8).ping()' 2>/dev/null
}

case "${1:-sandbox}" in
    sandbox) for_sandbox ;;
    test) for_tests ;;
    *) die "usage: scripts/system.sh [sandbox|test]" ;;
esac
