# shellcheck shell=bash
# What the scripts share. To be sourced, from the top folder of the repository.

say() { printf '\033[1m%s\033[0m\n' "$*"; }

die() {
    printf '%s\n' "$*" >&2
    exit 1
}

# Prints how to become root without being asked for anything: nothing when root, `sudo -n` where that works.
root_prefix() {
    if [ "$(id -u)" -eq 0 ]; then
        return 0
    fi
    command -v sudo >/dev/null && sudo -n true 2>/dev/null && echo "sudo -n"
}

# Installs Debian packages if that is possible without asking; fails with the one command to type if it is not.
apt_install() {
    local prefix
    if ! command -v apt-get >/dev/null; then
        echo "Install with this machine's package manager: $*" >&2
        return 1
    fi
    if ! prefix=$(root_prefix); then
        echo "Type this, then try again:  sudo apt-get install -y $*" >&2
        return 1
    fi
    say "Installing $* with apt-get"
    apt_get "$prefix" install -y -q --no-install-recommends "$@" 2>/dev/null && return 0
    apt_get "$prefix" update -q && apt_get "$prefix" install -y -q --no-install-recommends "$@" && return 0
    echo "apt-get could not install: $*" >&2
    return 1
}

apt_get() {
    local prefix=$1
    shift
    # shellcheck disable=SC2086 # the prefix is two words, or none
    $prefix env DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=180 "$@" </dev/null >&2
}
