"""Recorded numbers of the reference, as the tests want them: NHWC and at the current resolution."""

import functools
import json
import pathlib

import numpy as np

PARITY = pathlib.Path(__file__).parent / 'parity'


class Arrays(dict):
    """An .npz file read whole; `part(prefix)` gives what lies below `prefix`."""

    def part(self, prefix):
        return {name[len(prefix):]: array for name, array in self.items()
                if name.startswith(prefix)}


@functools.lru_cache(maxsize=8)
def arrays(path):
    """The arrays of tests/parity/`path`."""
    with np.load(PARITY / path) as file:
        return Arrays({name: file[name] for name in file.files})


def config(case):
    """The config.json of a recorded network."""
    return json.loads((PARITY / case / 'config.json').read_text())


VARIANTS = json.loads((PARITY / 'variants/variants.json').read_text())


def at_level(images_nchw, level):
    """Recorded full-resolution NCHW images -> means of 2^level x 2^level blocks, NHWC."""
    n, c, h, w = images_nchw.shape
    f = 2 ** level
    blocks = images_nchw.astype(np.float64).reshape(n, c, h // f, f, w // f, f).mean(axis=(3, 5))
    return blocks.transpose(0, 2, 3, 1).astype(np.float32)


def assert_close(actual, expected, std_tolerance=2e-4, rms_tolerance=1e-5):
    """Largest difference within 2e-4 of the recorded deviation plus 1e-5 of the RMS."""
    expected = np.asarray(expected, np.float64)
    actual = np.asarray(actual, np.float64)
    assert actual.shape == expected.shape, (actual.shape, expected.shape)
    limit = (std_tolerance * expected.std()
             + rms_tolerance * np.sqrt(np.mean(np.square(expected))))
    error = np.abs(actual - expected).max()
    assert error <= limit, f'largest difference {error:.3g}, allowed {limit:.3g}'
