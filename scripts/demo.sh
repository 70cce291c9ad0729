#!/usr/bin/env bash
# Copies an example aside, as a git repository with one commit, and lets the embedded model fix its failing tests.
# usage: scripts/demo.sh [EXAMPLE]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

top=$PWD
codeact=$top/.venv/bin/codeact
example=${1:-cart}
[ -f "examples/$example/pyproject.toml" ] ||
    die "There is no example '$example'. There are: $(cd examples && printf '%s ' */)"

say "The embedded model (fetched once, about 1.1 GB)"
"$codeact" model pull </dev/null

place=$(mktemp -d "${TMPDIR:-/tmp}/codeact-demo-XXXXXX")
chmod 755 "$place"
cp -R "examples/$example" "$place/$example"
cd "$place/$example"
git -c init.defaultBranch=main init --quiet
git add --all
git -c user.name=CodeAct -c user.email=demo@example.invalid commit --quiet --no-gpg-sign --no-verify -m "The $example example"

say "A repository with a failing test: $PWD"
status=0
"$codeact" fix --model local </dev/null || status=$?

changed=$(git status --porcelain)
say "Your files: git status"
git -c color.ui=false status --short --branch
[ -z "$changed" ] || die "The workspace changed before anything was accepted. That must never happen: please report it."

case $status in
0) echo "Nothing changed: the proposal waits for you." ;;
1)
    echo "No verified fix this time: a small model does not always find one. Look at its steps, or try another example."
    echo "  cd $(printf %q "$PWD") && $(printf %q "$codeact") show"
    exit 1
    ;;
130) exit 130 ;;
*)
    echo "The run could not be carried out, for the reason above. What works on this machine, and what mends the rest:"
    "$codeact" doctor || true
    exit "$status"
    ;;
esac
say "Next"
cat <<END
  cd $(printf %q "$PWD")
  alias codeact=$(printf %q "$(printf %q "$codeact")")
  codeact verify     prove it again, without any model
  codeact show       see every step
  codeact apply      accept it; then look: git diff; $(printf %q "$top/.venv/bin/python") -m pytest
In a repository of your own:  codeact fix   (--model NAME for a model of yours; codeact doctor tells what works)
END
