#!/usr/bin/env bash
# Everything that is claimed, measured: what the sandbox costs, what a snapshot costs, how many bugs get fixed.
# Options go to benchmarks/run.py; those that choose bugs (--only, --classics, ...) choose what is fixed, else all is.
# Goes through all of it before it fails.
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
.venv/bin/codeact prepare --kit
measure "Questions and scripts" tasks.py --set seen
measure "Questions and scripts on what no prompt was tuned on" tasks.py --set unseen
measure Fixes run.py "$@"
if [[ ! " $* " =~ \ --(only|cheats|classics|history)\  ]]; then
    measure "Fixes of classics, without each rung, and by the model alone" \
        run.py --classics --rungs --baseline one-shot five-samples "$@"
    measure "Historic fixes" run.py --history --baseline one-shot "$@"
fi
[ ${#failed[@]} -eq 0 ] || die "A promise does not hold: ${failed[*]}. See above."
