#!/usr/bin/env bash
# Gives the tests a Docker engine where none runs: installs Debian's if there is none, and starts it.
# usage: scripts/docker-engine.sh start|stop|status
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/common.sh

socket=/var/run/docker.sock
state=${XDG_RUNTIME_DIR:-/tmp}/codeact-dockerd
WAIT_SECONDS=40

answers() {
    .venv/bin/python -c "import socket; s = socket.socket(socket.AF_UNIX); s.settimeout(5); s.connect('$socket')" 2>/dev/null
}

start() {
    if [ -n "${DOCKER_HOST:-}" ] || answers; then
        return 0
    fi
    [ "$(id -u)" -eq 0 ] || die "No Docker engine answers, and only root can start one: sudo systemctl start docker"
    command -v dockerd >/dev/null || apt_install docker.io || die "Without dockerd there is no Docker engine."
    say "Starting a Docker engine"
    mkdir -p "$state"
    rm -f /var/run/docker.pid
    setsid dockerd >"$state/log" 2>&1 </dev/null &
    echo $! >"$state/pid"
    for _ in $(seq $((WAIT_SECONDS * 5))); do
        answers && return 0
        kill -0 "$(cat "$state/pid")" 2>/dev/null || break
        sleep 0.2
    done
    tail -n 5 "$state/log" >&2
    stop
    die "The Docker engine did not start; its log is above."
}

# Ends only an engine that this script has started.
stop() {
    [ -f "$state/pid" ] || return 0
    kill "$(cat "$state/pid")" 2>/dev/null || true
    for _ in $(seq 50); do
        kill -0 "$(cat "$state/pid")" 2>/dev/null || break
        sleep 0.2
    done
    rm -rf "$state"
}

case "${1:-}" in
start) start ;;
stop) stop ;;
status) answers && echo "A Docker engine answers at $socket." || die "No Docker engine answers at $socket." ;;
*) die "usage: scripts/docker-engine.sh start|stop|status" ;;
esac
