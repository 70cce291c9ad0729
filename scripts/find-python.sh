#!/usr/bin/env bash
# Prints the path of a Python >= 3.11. A name on PATH need not work (a pyenv shim of another version): each is tried.
set -euo pipefail

for name in python3 python3.13 python3.12 python3.11; do
    if path=$(command -v "$name") && "$path" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
        echo "$path"
        exit 0
    fi
done
cat >&2 <<'END'
CodeAct needs Python 3.11 or newer, and none of python3, python3.13, python3.12, python3.11 on PATH is one.
On Debian 12, Ubuntu 24.04 or newer:  sudo apt-get install -y python3 python3-venv
END
exit 1
