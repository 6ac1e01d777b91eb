#!/bin/sh
# Adds to .venv what explore.py and its tests need, and to the machine a browser where it has none;
# called by make after setup_venv.sh, safe to run again at any time.
set -eu
cd "$(dirname "$0")/.."
venv=.venv${LANE:+-$LANE}

has_browser() {
    for name in chromium chromium-browser google-chrome; do
        command -v "$name" >/dev/null && return
    done
    return 1
}

"$venv/bin/python" -m pip install --disable-pip-version-check -r requirements-web-dev.txt
if ! has_browser; then
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
        echo "setup_web.sh: error: no browser here; install Chromium (Debian: apt install chromium)\
 or Chrome, then run make test-web again" >&2
        exit 1
    fi
    apt-get update
    DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends chromium
fi
touch "$venv/.web-ready"
