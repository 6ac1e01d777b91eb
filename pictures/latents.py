"""Which latents a picture is of: numbers on the command line -> z, labels, and ways between them."""

from __future__ import annotations

import re

import numpy as np

MAX_NUMBERS = 10 ** 6      # a range is written out; a slip of the keyboard must not fill the memory
MAX_SEED = 2 ** 32 - 1     # NumPy's


def parse_numbers(text, flag):
    """'0-3,7' -> [0, 1, 2, 3, 7]: integers from 0 up and ranges with both ends, in their order.

    flag: name of the flag that `text` comes from (without dashes), for the error.
    """
    rule = (f'--{flag}={text}: must be integers and ranges separated by commas, such as '
            f'--{flag}=0-35,99')
    numbers = []
    for part in str(text).split(','):
        match = re.fullmatch(r'\s*(\d+)\s*(?:-\s*(\d+)\s*)?', part, re.ASCII)
        if not match:
            raise ValueError(f'{rule}; {part.strip()!r} is neither.')
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first:
            raise ValueError(f'{rule}; {part.strip()!r} runs backwards.')
        if len(numbers) + last - first >= MAX_NUMBERS:
            raise ValueError(f'{rule}; these are more than {MAX_NUMBERS:,} numbers.')
        numbers.extend(range(first, last + 1))
    return numbers


def latents_of(seeds, latent_size):
    """z, float32 [N, latent_size]: row i is RandomState(seeds[i]).randn(1, latent_size)."""
    for seed in seeds:
        if not 0 <= seed <= MAX_SEED:
            raise ValueError(f'seed {seed}: must be within 0..{MAX_SEED}; choose another.')
    rows = [np.random.RandomState(seed).randn(1, latent_size) for seed in seeds]
    return np.concatenate(rows or [np.zeros([0, latent_size])]).astype(np.float32)


def class_labels(config, class_idx, count):
    """Labels, float32 [count, label_size], one-hot rows; None for an unconditional network.

    config: of the generator, with its label_size.
    class_idx: the class of all of them; None = each class in turn.
    """
    size = config.label_size
    if class_idx is not None and not size:
        raise ValueError(f'--class_idx={class_idx}: the network has no classes; leave it out.')
    if class_idx is not None and not 0 <= class_idx < size:
        raise ValueError(f'--class_idx={class_idx}: must be within 0..{size - 1}, the classes of '
                         'this network.')
    if not size:
        return None
    classes = np.arange(count) % size if class_idx is None else np.full(count, class_idx)
    return np.eye(size, dtype=np.float32)[classes]
