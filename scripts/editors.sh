#!/usr/bin/env bash
# The editors that the language server is tested with: Neovim, and Emacs with eglot.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

missing=()
command -v nvim >/dev/null || missing+=(neovim)
command -v emacs >/dev/null || missing+=(emacs-nox elpa-eglot)
[ ${#missing[@]} -eq 0 ] || apt_install "${missing[@]}"
