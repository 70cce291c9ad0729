#!/usr/bin/env bash
# Pins pyproject.toml's dependencies in requirements/, each file with its hashes, and never an index address.
# Without --upgrade, pins that still fit stay.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

pin() {
    .venv/bin/uv pip compile --quiet --generate-hashes --no-emit-index-url --no-header --universal \
        --python-version 3.11 "$@"
}

pin --extra local --output-file requirements/runtime.txt "$@" pyproject.toml
pin --extra local --group dev --output-file requirements/dev.txt "$@" pyproject.toml
grep -oE '^uv==[^ ]+' requirements/dev.txt | pin --no-annotate --output-file requirements/bootstrap.txt -
say "Pinned. Commit requirements/ together with pyproject.toml."
