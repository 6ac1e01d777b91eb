"""A whole training of translation: half an hour on two cores."""

import pathlib
import subprocess
import sys

import pytest

BENCHMARK = pathlib.Path(__file__).resolve().parents[1] / 'benchmarks/translation_quality.py'


@pytest.mark.slow
def test_translations_keep_the_digit_and_take_the_style(tmp_path):
    done = subprocess.run([sys.executable, str(BENCHMARK), f'--outdir={tmp_path}'],
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
