#!/usr/bin/env bash
# The editors that the language server is tested with: Emacs with eglot. (Neovim comes with the pinned packages.)
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

command -v emacs >/dev/null || apt_install emacs-nox elpa-eglot
