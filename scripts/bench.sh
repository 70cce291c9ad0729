#!/usr/bin/env bash
# Everything that is claimed, measured: what the sandbox costs, what a snapshot costs, how many bugs get fixed.
# Options go to benchmarks/run.py. Goes through all of it before it fails.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh
failed=()

measure() {
    local name=$1 script=$2
    shift 2
    say "$name"
    .venv/bin/python "benchmarks/$script" "$@" || failed+=("$name")
}

.venv/bin/codeact model pull </dev/null
measure Sandboxes sandbox.py
measure "Validating a candidate" validation.py
measure Snapshots snapshots.py
measure "Everyday compatibility" compatibility.py
measure "The language server" editor.py
measure Fixes run.py "$@"
[ ${#failed[@]} -eq 0 ] || die "A promise does not hold: ${failed[*]}. See above."
