#!/usr/bin/env bash
# Makes .venv hold exactly what requirements/dev.txt pins, and CodeAct itself, editable.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
umask 022 # the sandbox runs as another user than root and reads .venv

make_venv() {
    local python
    python=$(scripts/find-python.sh)
    if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
        apt_install "$("$python" -c 'import sys; print(f"python{sys.version_info[0]}.{sys.version_info[1]}-venv")')" ||
            die "$python has no venv module, so .venv cannot be made."
    fi
    say "Making .venv with $("$python" --version)"
    rm -rf .venv
    "$python" -m venv .venv
}

# pip's settings know mirrors and proxies of this machine that uv's may not: when uv cannot fetch, pip does.
# Bytecode is made now, since a sandbox, which cannot write here, would make it anew at each start.
sync() {
    local options=(--quiet --require-hashes --compile-bytecode --link-mode copy --python .venv/bin/python)
    say "Installing the pinned packages"
    .venv/bin/python -m pip install --quiet --require-hashes --requirement requirements/bootstrap.txt
    .venv/bin/uv pip sync "${options[@]}" requirements/dev.txt ||
        .venv/bin/python -m pip install --quiet --require-hashes --requirement requirements/dev.txt
}

install_project() {
    .venv/bin/uv pip install --quiet --python .venv/bin/python --no-deps --no-build-isolation --offline --editable .
    chmod -R a+rX .venv # packages cached under a stricter umask keep its modes
    .venv/bin/python -c 'import codeact'
}

.venv/bin/python -c 'import sys, pip; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || make_venv
sync
install_project
say "Ready: .venv/bin/codeact"
