#!/usr/bin/env bash
# Everything that can be said about the code without running it. Goes through all checks before it fails.
set -uo pipefail
cd "$(dirname "$0")/.." || exit
. scripts/common.sh
failed=()

check() {
    local name=$1
    shift
    say "$name"
    "$@" || failed+=("$name")
}

# Package indexes and machines have no place in the repository: whoever clones it has others.
check_texts() {
    local hosts='pypi[.]org|pythonhosted[.]org|registry[.]npmjs|(deb|security|archive)[.](debian|ubuntu)[.]'
    local paths='(^|[^A-Za-z0-9_.])/(work|root)/[A-Za-z.]'
    ! list_files | xargs -0 -r grep -nIE "$hosts|$paths" -- | cut -c1-200 | grep .
}

check_shell() {
    local script
    while IFS= read -r -d '' script; do
        bash -n "$script" || return 1
    done < <(list_files | grep -zE '(\.sh|^\.ci/run)$')
    if command -v shellcheck >/dev/null; then
        list_files | grep -zE '(\.sh|^\.ci/run)$' | xargs -0 -r shellcheck --severity=warning --exclude=SC1091
    fi
}

# Where the extension's tools cannot be had, the rest still counts.
check_extension() {
    local status=0
    scripts/extension.sh check || status=$?
    [ "$status" -ne 3 ] || echo "Skipped: the extension is not checked here."
    [ "$status" -eq 0 ] || [ "$status" -eq 3 ]
}

# The files that git tracks or would track; all of them where this is no git repository.
list_files() {
    git ls-files -z --cached --others --exclude-standard 2>/dev/null | only_files ||
        find . -type f -not -path './.venv/*' -not -path '*/node_modules/*' -not -path '*/.*_cache/*' -print0
}

only_files() {
    local file any=1
    while IFS= read -r -d '' file; do
        [ -f "$file" ] && [ ! -L "$file" ] && printf '%s\0' "$file" && any=0
    done
    return $any
}

check "ruff check" .venv/bin/ruff check --quiet
check "ruff format" .venv/bin/ruff format --check --quiet
check "mypy" .venv/bin/mypy
check "import-linter" .venv/bin/lint-imports
check "pins" .venv/bin/python scripts/check_lock.py
check "shell scripts" check_shell
check "extension: types and lint" check_extension
check "no index addresses, no paths of one machine" check_texts

[ ${#failed[@]} -eq 0 ] || die "check failed: $(printf '%s; ' "${failed[@]}")"
say "All checks passed."
