#!/usr/bin/env bash
# Drives the packed extension in a real VS Code (code-server), in a real browser. Pictures are left in tests/e2e/output.
# usage: scripts/e2e.sh [PATTERN]     only scenarios whose title matches (words may follow one another), without a second try
# Exits with 3 where the tools cannot be had; CODEACT_E2E_TOOLS names a folder that has them.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

tools=$(scripts/e2e-tools.sh)
rm -rf tests/e2e/output dist/*.vsix
scripts/extension.sh vsix >/dev/null
say "The extension in a real VS Code"
export CODEACT_E2E_TOOLS=$tools CODEACT_E2E_TRIES=${*:+1}
exec "$tools/node_modules/.bin/node" --test --test-force-exit --test-concurrency=1 --test-reporter=./tests/e2e/reporter.mts \
    ${*:+--test-name-pattern="$*"} tests/e2e/scenarios.test.mts 2>&1
