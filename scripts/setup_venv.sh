#!/bin/sh
# Makes .venv with the packages of requirements.txt and requirements-dev.txt; called by make, safe to
# run again at any time, and twice at once.
#
# The newest Python that there is decides the lane (requirements.txt says which). LANE=2.15 or
# LANE=2.21 forces one, in a folder of its own: .venv-2.15.
#
# While packages are being installed the folder holds the file .unfinished, afterwards .ready. So a
# run that was interrupted is noticed by the next one, which starts from an empty folder.
set -eu
cd "$(dirname "$0")/.."
lane=${LANE:-}
venv=.venv${lane:+-$lane}

fail() {
    echo "setup_venv.sh: error: $1" >&2
    exit 1
}

case $lane in
    '') oldest=9; newest=13; asked='3.9 to 3.13' ;;
    2.15) oldest=9; newest=11; asked='3.9 to 3.11' ;;
    2.21) oldest=12; newest=13; asked='3.12 or 3.13' ;;
    *) fail "LANE=$lane: must be 2.15 or 2.21, or left out" ;;
esac

# A command called python3.10 may be a shim that fails, so ask the interpreter itself.
is_supported() {
    "$1" -c "import sys; sys.exit(not (3, $oldest) <= sys.version_info[:2] <= (3, $newest))" 2>/dev/null
}

# The newest first; of each, the one on PATH before those that pyenv keeps.
candidates() {
    minor=$newest
    while [ "$minor" -ge "$oldest" ]; do
        echo "python3.$minor"
        for python in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3."$minor".*/bin/python; do
            [ ! -x "$python" ] || echo "$python"
        done
        minor=$((minor - 1))
    done
    echo python3
}

make_venv() {
    without_venv=
    candidates > "$lock.pythons"
    while read -r python; do
        is_supported "$python" || continue
        if "$python" -c 'import ensurepip, venv' 2>/dev/null; then
            echo "$python -m venv $venv"
            "$python" -m venv "$venv"
            return
        fi
        without_venv=${without_venv:-$python}
    done < "$lock.pythons"
    if uv --version >/dev/null 2>&1; then
        echo "uv venv --seed --python 3.$newest $venv"
        uv venv --seed --python "3.$newest" "$venv"
        return
    fi
    if [ -n "$without_venv" ]; then
        fail "$without_venv cannot make virtual environments: install its venv module (Debian,\
 Ubuntu: apt install python3-venv), then run make again"
    fi
    found=$(python3 -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null || true)
    fail "no Python $asked here${lane:+ (LANE=$lane has no other)}${found:+; python3 is $found}:\
 install uv (https://docs.astral.sh/uv/), which fetches one, or install one yourself (macOS: brew\
 install python@3.$newest; Debian, Ubuntu: apt install python3-venv, where the release has one of\
 these), then run make again"
}

# One set-up at a time: the second waits, and finds everything done.
lock=$venv.lock
until ln -s "$$" "$lock" 2>/dev/null; do
    owner=$(readlink "$lock" || true)
    if [ -n "$owner" ] && ! kill -0 "$owner" 2>/dev/null; then
        rm -f "$lock"  # of a set-up that was killed
        continue
    fi
    [ -n "${waiting:-}" ] || echo "Another set-up of $venv is running (process $owner): waiting for it"
    waiting=yes
    sleep 1
done
trap 'rm -f "$lock" "$lock.pythons"' EXIT
trap 'exit 130' INT TERM HUP
if [ -n "${waiting:-}" ] && [ -e "$venv/.ready" ] && [ ! -e "$venv/.unfinished" ]; then
    exit 0
fi

if [ -e "$venv/.unfinished" ] || ! is_supported "$venv/bin/python" ||
        ! "$venv/bin/python" -m pip --version >/dev/null 2>&1; then
    rm -rf "$venv"
    make_venv
fi
touch "$venv/.unfinished"
echo "Installing requirements.txt and requirements-dev.txt into $venv (about 2 GB on disk; a minute on\
 a fast line)"
"$venv/bin/python" -m pip install --disable-pip-version-check -r requirements.txt \
    -r requirements-dev.txt
mv "$venv/.unfinished" "$venv/.ready"
