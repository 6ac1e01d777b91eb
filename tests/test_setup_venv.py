"""The choice of a Python for .venv, and the repair of a set-up that was interrupted.

The real script runs in an empty folder with stand-ins for the interpreters and for uv.
"""

import os
import pathlib
import shutil
import signal
import subprocess

import pytest

SCRIPT = pathlib.Path(__file__).resolve().parents[1] / 'scripts' / 'setup_venv.sh'

# Answers what the script asks it (version, venv module, pip); "makes" a .venv of itself.
PYTHON = '''#!/bin/sh
within() {
    code=$1; low=${code#*"(3, "}; high=${code##*"(3, "}
    [ {minor} -ge "${low%%)*}" ] && [ {minor} -le "${high%%)*}" ]
}
case "$*" in
    *"print("*) echo 3.{minor} ;;
    *"sys.exit"*) [ {unsupported} = 0 ] || exit {unsupported}; within "$2" ;;
    *ensurepip*) exit {without_venv} ;;
    "-m venv "*) mkdir -p "$3/bin"; cp "$0" "$3/bin/python"; echo "$0" > "$3/made_by" ;;
    "-m pip install"*) echo pip >> installs; [ ! -e "$FAIL_PIP" ] || exit 1; sleep {seconds} ;;
esac
'''
UV = '''#!/bin/sh
[ "$1" != venv ] || {
    mkdir -p "$5/bin"; cp "$(dirname "$0")/python-of-uv" "$5/bin/python"
    echo "uv $*" > "$5/made_by"
}
'''


class Machine:
    """A folder with the script and with nothing on PATH but what `add` puts there."""

    def __init__(self, root):
        self.root, self.bin, self.fail_pip = root, root / 'bin', root / 'fail_pip'
        self.bin.mkdir()
        for command in ('cp', 'dirname', 'ln', 'mkdir', 'mv', 'readlink', 'rm', 'sh', 'sleep',
                        'touch'):
            (self.bin / command).symlink_to(shutil.which(command))
        (root / 'scripts').mkdir()
        shutil.copy(SCRIPT, root / 'scripts')

    def add(self, name, text=PYTHON, minor=None, unsupported=0, without_venv=0, seconds=0):
        """A stand-in on PATH, or below the home where `name` is a path.

        minor: of its version, 3.<minor>; None = what its name says, 11 where it says none.
        seconds: that its pip takes.
        """
        path = self.bin / name
        path.parent.mkdir(parents=True, exist_ok=True)
        values = {'minor': minor or path.name.partition('3.')[2] or 11, 'unsupported': unsupported,
                  'without_venv': without_venv, 'seconds': seconds}
        for key, value in values.items():
            text = text.replace('{' + key + '}', str(value))
        path.write_text(text)
        path.chmod(0o755)

    def start(self, lane=''):
        """A set-up, in a process group of its own, as a terminal gives it one."""
        return subprocess.Popen(
            [self.root / 'scripts' / SCRIPT.name], text=True, stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, env={'PATH': str(self.bin), 'FAIL_PIP': str(self.fail_pip),
                                         'HOME': str(self.root / 'home'), 'LANE': lane},
            start_new_session=True)

    def set_up(self, lane=''):
        process = self.start(lane)
        stdout, stderr = process.communicate()
        return subprocess.CompletedProcess(process.args, process.returncode, stdout, stderr)

    def made_by(self, venv='.venv'):
        return os.path.basename((self.root / venv / 'made_by').read_text().strip())


@pytest.fixture
def machine(tmp_path):
    return Machine(tmp_path)


def test_the_newest_python_that_runs_is_taken(machine):
    machine.add('python3.13', unsupported=127)  # such as a shim with nothing behind it
    machine.add('python3.12')
    machine.add('python3.9')
    assert machine.set_up().returncode == 0
    assert machine.made_by() == 'python3.12'
    assert (machine.root / '.venv' / '.ready').exists()


@pytest.mark.parametrize('minor', [12, 13])
def test_a_machine_with_nothing_but_a_new_python_is_served(machine, minor):
    machine.add(f'python3.{minor}')
    assert machine.set_up().returncode == 0 and machine.made_by() == f'python3.{minor}'


def test_a_python_too_new_for_tensorflow_is_not_taken(machine):
    machine.add('python3', minor=14)
    result = machine.set_up()
    assert result.returncode == 1
    assert 'no Python 3.9 to 3.13 here; python3 is 3.14: install uv' in result.stderr


def test_a_python_that_pyenv_keeps_is_found(machine):
    machine.add('python3.11')
    machine.add(machine.root / 'home/.pyenv/versions/3.13.0/bin/python', minor=13)
    assert machine.set_up().returncode == 0
    assert '3.13.0' in (machine.root / '.venv' / 'made_by').read_text()


@pytest.mark.parametrize('lane, taken', [('2.15', 'python3.11'), ('2.21', 'python3.13')])
def test_a_lane_can_be_forced_and_has_a_folder_of_its_own(machine, lane, taken):
    for minor in (10, 11, 12, 13):
        machine.add(f'python3.{minor}')
    assert machine.set_up(lane).returncode == 0
    assert machine.made_by(f'.venv-{lane}') == taken
    assert not (machine.root / '.venv').exists()


def test_a_lane_without_its_python_is_one_line(machine):
    machine.add('python3.13')
    result = machine.set_up('2.15')
    assert result.returncode == 1 and len(result.stderr.splitlines()) == 1
    assert 'no Python 3.9 to 3.11 here (LANE=2.15 has no other)' in result.stderr
    result = machine.set_up('2.16')
    assert result.returncode == 1 and 'LANE=2.16: must be 2.15 or 2.21' in result.stderr


def test_a_folder_with_a_blank_and_an_umlaut_in_its_path_will_do(tmp_path):
    (tmp_path / 'meine Büste').mkdir()
    machine = Machine(tmp_path / 'meine Büste')
    machine.add('python3.12')
    assert machine.set_up().returncode == 0 and machine.made_by() == 'python3.12'


def begun(machine):
    """A set-up that is installing packages, which takes seconds."""
    machine.add('python3.12', seconds=2)
    process = machine.start()
    while not (machine.root / 'installs').exists():
        assert process.poll() is None
    return process


@pytest.mark.parametrize('number', [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_a_set_up_that_is_stopped_half_way_is_made_anew(machine, number):
    process = begun(machine)
    os.killpg(process.pid, number)
    assert process.wait() != 0 and not (machine.root / '.venv' / '.ready').exists()
    half_a_package = machine.root / '.venv' / 'half_a_package'
    half_a_package.touch()
    assert machine.set_up().returncode == 0 and not half_a_package.exists()
    assert sorted(path.name for path in machine.root.glob('.venv*')) == ['.venv']


def test_two_set_ups_at_once_install_once(machine):
    first = begun(machine)
    second = machine.set_up()
    assert first.wait() == 0 and second.returncode == 0
    assert 'waiting for it' in second.stdout
    assert (machine.root / 'installs').read_text() == 'pip\n'
    assert sorted(path.name for path in machine.root.glob('.venv*')) == ['.venv']


def test_the_lock_of_a_set_up_that_was_killed_is_no_obstacle(machine):
    machine.add('python3.12')
    os.symlink('99999999', machine.root / '.venv.lock')  # no process has this number
    assert machine.set_up().returncode == 0 and machine.made_by() == 'python3.12'


def test_python3_is_taken_only_where_its_version_fits(machine):
    machine.add('python3', unsupported=1)
    assert machine.set_up().returncode == 1
    machine.add('python3')
    assert machine.set_up().returncode == 0
    assert machine.made_by() == 'python3'


def test_uv_is_used_where_no_python_can_make_an_environment(machine):
    machine.add('python3.11', without_venv=1)
    machine.add('uv', UV)
    machine.add('python-of-uv', minor=13)
    assert machine.set_up().returncode == 0
    assert machine.made_by() == 'uv venv --seed --python 3.13 .venv'


@pytest.mark.parametrize('python, remedy', [
    (False, 'install uv'), (True, 'apt install python3-venv')])
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
