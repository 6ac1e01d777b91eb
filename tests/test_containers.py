"""The container files: what they copy and call is there, and nobody else reaches their pages."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
COMPOSE = (ROOT / 'compose.yaml').read_text(encoding='utf-8')
FILES = ['Dockerfile', 'Dockerfile.gpu']


def instructions(name):
    """[(INSTRUCTION, arguments)] of a Dockerfile, continued lines joined."""
    text = (ROOT / name).read_text(encoding='utf-8').replace('\\\n', '')
    lines = [line for line in text.splitlines() if line and not line.startswith('#')]
    return [tuple(line.split(maxsplit=1)) for line in lines]


@pytest.mark.parametrize('name', FILES)
def test_it_ends_as_a_user_without_rights_with_the_demo(name):
    found = instructions(name)
    assert [value for key, value in found if key == 'USER'] == ['1000']
    assert found[-1] == ('CMD', '["make", "demo"]')


@pytest.mark.parametrize('name', FILES)
def test_what_it_copies_and_installs_is_there(name):
    text = (ROOT / name).read_text(encoding='utf-8')
    named = set(re.findall(r'requirements[\w-]*\.txt', text))
    assert named and not [file for file in named if not (ROOT / file).exists()]
    assert 'pip install --no-cache-dir' in text and 'rm -rf /var/lib/apt/lists/*' in text
    copied = [value.split()[-2] for key, value in instructions(name) if key == 'COPY']
    assert copied == ['requirements*.txt', '.']


def test_both_are_the_same_but_for_cuda():
    cpu, gpu = ([line for line in instructions(name) if line[0] != 'ENV'] for name in FILES)
    differing = [key for one, other in zip([line for line in cpu if line[0] != 'ARG'], gpu)
                 if one != other for key in {one[0], other[0]}]
    assert differing == ['RUN']


def test_data_stays_out_of_the_image_and_the_network_of_the_explorer_goes_in():
    ignored = (ROOT / '.dockerignore').read_text(encoding='utf-8').splitlines()
    assert {'.git', 'datasets', 'results', 'out', 'tests', '!tests/parity/digits'} <= set(ignored)
    [network] = re.findall(r'--network=\$\{NETWORK:-(.*)\}', COMPOSE)
    assert network.startswith('tests/parity/digits/') and (ROOT / network).exists()


def test_pages_are_for_this_machine_only():
    ports = re.findall(r'ports: \[(.*)\]', COMPOSE)
    assert len(ports) == 2 and all(port.startswith('"127.0.0.1:') for port in ports)
    assert 'network_mode' not in COMPOSE and 'privileged' not in COMPOSE


def test_its_flags_are_those_of_the_explorer():
    known = (ROOT / 'docs/options.md').read_text(encoding='utf-8')
    page = known[known.index('### explore.py'):]
    flags = re.findall(r'- (--\w+)', COMPOSE[COMPOSE.index('explorer:'):])
    assert flags == ['--network', '--host'] and all(f'`{flag}`' in page for flag in flags)
