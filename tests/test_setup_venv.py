"""The choice of a Python for .venv, and the repair of a set-up that was interrupted.

The real script runs in an empty folder with stand-ins for the interpreters and for uv.
"""

import os
import pathlib
import shutil
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / 'scripts' / 'setup_venv.sh'

# Answers the script's three questions (version, venv module, pip); "makes" a .venv of itself.
PYTHON = '''#!/bin/sh
case "$*" in
    *"sys.exit"*) exit {unsupported} ;;
    *"print("*) echo 3.11 ;;
    *ensurepip*) exit {without_venv} ;;
    "-m venv .venv") mkdir -p .venv/bin; cp "$0" .venv/bin/python; echo "$0" > .venv/made_by ;;
    "-m pip install"*) [ ! -e "$FAIL_PIP" ] ;;
esac
'''
UV = '''#!/bin/sh
[ "$1" != venv ] || { mkdir -p .venv/bin; cp "$0" .venv/bin/python; echo uv > .venv/made_by; }
'''


class Machine:
    """A folder with the script and with nothing on PATH but what `add` puts there."""

    def __init__(self, root):
        self.root, self.bin, self.fail_pip = root, root / 'bin', root / 'fail_pip'
        self.bin.mkdir()
        for command in ('sh', 'dirname', 'cp', 'mkdir', 'mv', 'rm', 'touch'):
            (self.bin / command).symlink_to(shutil.which(command))
        (root / 'scripts').mkdir()
        shutil.copy(SCRIPT, root / 'scripts')

    def add(self, name, text=PYTHON, unsupported=0, without_venv=0):
        path = self.bin / name
        path.write_text(text.replace('{unsupported}', str(unsupported))
                        .replace('{without_venv}', str(without_venv)))
        path.chmod(0o755)

    def set_up(self):
        return subprocess.run([self.root / 'scripts' / SCRIPT.name], text=True,
                              env={'PATH': str(self.bin), 'FAIL_PIP': str(self.fail_pip)},
                              capture_output=True)

    def made_by(self):
        return os.path.basename((self.root / '.venv' / 'made_by').read_text().strip())


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_the_newest_python_that_runs_is_taken(machine):
    machine.add('python3.11', unsupported=127)  # such as a shim with nothing behind it
    machine.add('python3.10')
    machine.add('python3.9')
    assert machine.set_up().returncode == 0
    assert machine.made_by() == 'python3.10'
    assert (machine.root / '.venv' / '.ready').exists()


def test_python3_is_taken_only_where_its_version_fits(machine):
    machine.add('python3', unsupported=1)
    assert machine.set_up().returncode == 1
    machine.add('python3')
    assert machine.set_up().returncode == 0
    assert machine.made_by() == 'python3'


def test_uv_is_used_where_no_python_can_make_an_environment(machine):
    machine.add('python3.11', without_venv=1)
    machine.add('uv', UV)
    assert machine.set_up().returncode == 0
    assert machine.made_by() == 'uv'


@pytest.mark.parametrize('python, remedy', [(False, 'install uv'), (True, 'python3.11-venv')])
def test_with_nothing_to_use_one_line_says_what_to_install(machine, python, remedy):
    if python:
        machine.add('python3', without_venv=1)
    result = machine.set_up()
    assert result.returncode == 1 and not (machine.root / '.venv').exists()
    assert len(result.stderr.splitlines()) == 1 and remedy in result.stderr


def test_an_interrupted_set_up_is_made_anew_by_the_next_run(machine):
    machine.add('python3.11')
    machine.fail_pip.touch()
    assert machine.set_up().returncode != 0
    assert not (machine.root / '.venv' / '.ready').exists()
    half_a_package = machine.root / '.venv' / 'half_a_package'
    half_a_package.touch()
    machine.fail_pip.unlink()
    assert machine.set_up().returncode == 0
    assert (machine.root / '.venv' / '.ready').exists() and not half_a_package.exists()


def test_a_finished_environment_is_kept_when_requirements_change(machine):
    machine.add('python3.11')
    machine.set_up()
    own_package = machine.root / '.venv' / 'own_package'
    own_package.touch()
    assert machine.set_up().returncode == 0 and own_package.exists()
