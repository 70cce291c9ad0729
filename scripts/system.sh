#!/usr/bin/env bash
# What no Python package can bring: bubblewrap, the sandbox, and libgomp, which the embedded model's engine needs.
# Calls apt for what is missing only.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

missing=()
command -v bwrap >/dev/null || missing+=(bubblewrap)
compgen -G '/usr/lib*/libgomp.so.1' >/dev/null || compgen -G '/usr/lib*/*/libgomp.so.1' >/dev/null || missing+=(libgomp1)
[ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}" ||
    die "CodeAct runs a model's code in a sandbox only, and its own model with libgomp: it needs ${missing[*]}."
