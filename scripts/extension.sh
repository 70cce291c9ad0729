#!/usr/bin/env bash
# The editor extension: checks it, tests it, packs it.
# usage: scripts/extension.sh check | test | vsix [FOLDER]
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

top=$PWD
extension=$top/vscode-extension

# Node modules are installed when they are missing or package.json is newer. Fails, and says why, where that is impossible.
modules() {
    local stamp=node_modules/.codeact-stamp
    if [ -f "$stamp" ] && [ "$stamp" -nt package.json ] && [ "$stamp" -nt vscode-extension/package.json ]; then
        return 0
    fi
    if ! node -e "process.exit(parseInt(process.versions.node) >= 20 ? 0 : 1)" 2>/dev/null || ! command -v npm >/dev/null; then
        echo "The extension needs Node 20 or newer, with npm." >&2
        return 1
    fi
    say "Installing the extension's Node modules"
    if ! npm install --no-package-lock --no-audit --no-fund --loglevel=error </dev/null >&2; then
        echo "npm could not install them: is the network away?" >&2
        return 1
    fi
    touch "$stamp"
}

check() {
    npm run --silent check --workspace vscode-extension
}

test_() {
    npm test --silent --workspace vscode-extension
}

# One .vsix that carries the server's wheel, its pins and an example.
vsix() {
    local folder=${1:-$top/dist} version
    version=$(.venv/bin/python -c 'import tomllib; print(tomllib.load(open("pyproject.toml", "rb"))["project"]["version"])')
    say "Building the server's wheel"
    rm -rf "$extension"/{server,examples,dist}
    mkdir -p "$extension"/{server,examples} "$folder"
    (umask 022 && .venv/bin/python -m hatchling build --target wheel --directory "$extension/server") >/dev/null
    cp requirements/runtime.txt "$extension/server/requirements.txt"
    git ls-files -z examples/cart 2>/dev/null | xargs -0 -r cp --parents -t "$extension"
    [ -f "$extension/examples/cart/pyproject.toml" ] || cp -R examples/cart "$extension/examples/"
    cp LICENSE CHANGELOG.md "$extension/"
    say "Bundling and packing the extension"
    npm run --silent build --workspace vscode-extension
    (cd "$extension" && "$top/node_modules/.bin/vsce" package "$version" --no-dependencies --no-update-package-json \
        --no-git-tag-version --allow-missing-repository --no-rewrite-relative-links --out "$folder/codeact-$version.vsix")
}

modules || exit 3
case ${1:-} in
check) check ;;
test) test_ ;;
vsix) shift && vsix "$@" ;;
*) die "usage: scripts/extension.sh check | test | vsix [FOLDER]" ;;
esac
