#!/usr/bin/env bash
# Runs pytest with coverage, and without arguments the extension's unit tests too. What tests need beyond Python is set up
# where that is possible; where it is not, those tests skip and say why. Ends with pytest's own closing line.
# The scenarios in a real VS Code are among them, and come last.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

scripts/system.sh || echo "Going on without: tests that need a sandbox skip."
scripts/editors.sh || echo "Going on without: tests that need Neovim or Emacs skip."
scripts/docker-engine.sh start || echo "Going on without: tests that need a Docker engine skip."
trap 'scripts/docker-engine.sh stop' EXIT
.venv/bin/codeact model pull </dev/null || echo "The embedded model could not be fetched: tests that need it skip."

extension=0
if [ $# -eq 0 ]; then
    say "The extension's unit tests"
    scripts/extension.sh test || extension=$?
    [ "$extension" -ne 3 ] || echo "Skipped: the extension is not tested here."
fi

say "pytest"
.venv/bin/coverage erase
status=0
.venv/bin/coverage run -m pytest "$@" </dev/null || status=$?
.venv/bin/coverage combine --quiet || true
[ "$extension" -eq 0 ] || [ "$extension" -eq 3 ] || status=1
exit "$status"
