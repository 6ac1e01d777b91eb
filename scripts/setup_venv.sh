#!/bin/sh
# Makes .venv with the packages of requirements.txt and requirements-dev.txt; called by make, safe to run again at any time.
#
# While packages are being installed .venv holds the file .unfinished, afterwards .ready. So a run
# that was interrupted is noticed by the next one, which starts from an empty .venv.
set -eu
cd "$(dirname "$0")/.."

fail() {
    echo "setup_venv.sh: error: $1" >&2
    exit 1
}

# A command called python3.10 may be a shim that fails, so ask the interpreter itself.
is_supported() {
    "$1" -c 'import sys; sys.exit(not (3, 9) <= sys.version_info[:2] <= (3, 11))' 2>/dev/null
}

make_venv() {
    without_venv=
    for python in python3.11 python3.10 python3.9 python3; do
        is_supported "$python" || continue
        if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
            echo "$python -m venv .venv"
            "$python" -m venv .venv
            return
        fi
        without_venv=${without_venv:-$python}
    done
    if uv --version >/dev/null 2>&1; then
        echo "uv venv --seed --python 3.11 .venv"
        uv venv --seed --python 3.11 .venv
        return
    fi
    if [ -n "$without_venv" ]; then
        version=$("$without_venv" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
        fail "$without_venv cannot make virtual environments: install its venv module (Debian,\
 Ubuntu: apt install python$version-venv), then run make again"
    fi
    fail "no Python 3.9, 3.10 or 3.11 here (TensorFlow 2.15 has no other): install one (Debian,\
 Ubuntu: apt install python3.11-venv; macOS: brew install python@3.11) or install uv\
 (https://docs.astral.sh/uv/), which fetches one, then run make again"
}

if [ -e .venv/.unfinished ] || ! is_supported .venv/bin/python ||
        ! .venv/bin/python -m pip --version >/dev/null 2>&1; then
    rm -rf .venv
    make_venv
fi
touch .venv/.unfinished
echo "Installing requirements.txt and requirements-dev.txt into .venv (about 2 GB on disk; a minute on a\
 fast line)"
.venv/bin/python -m pip install --disable-pip-version-check -r requirements.txt \
    -r requirements-dev.txt
mv .venv/.unfinished .venv/.ready
