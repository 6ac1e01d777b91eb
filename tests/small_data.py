"""A small data set and small options, so that a real training takes seconds."""

import json

import numpy as np

from training.dataset import Writer, pyramid
from training.presets import run_config

SMALL = ['--preset=digits', '--fmap_base=64', '--fmap_max=8', '--latent_size=8', '--dlatent_size=8',
         '--mapping_fmaps=8', '--mapping_layers=2', '--minibatch_base=8', '--grid=3x2']
# One level, 8x8, and four ticks of 64 images.
SMALL_OPTIONS = {'fmap_base': 64, 'fmap_max': 8, 'latent_size': 8, 'dlatent_size': 8,
                 'mapping_fmaps': 8, 'mapping_layers': 1, 'minibatch_base': 8, 'grid': '3x2',
                 'lod_training_kimg': 0, 'lod_transition_kimg': 0, 'tick_kimg_base': 0.064,
                 'total_kimg': 0.256}
CLOCK_FIELDS = {'time', 'seconds', 'sec_per_tick', 'sec_per_kimg', 'maintenance_sec', 'eta',
                'eta_sec', 'gpumem_gb', 'cpumem_gb', 'images_per_sec'}


def write_dataset(directory, resolution=16, channels=1, count=40, label_size=0):
    """Blurred coloured spots in `directory`; returns its path as text."""
    directory.mkdir(parents=True)
    random_state = np.random.RandomState(7)
    y, x = np.mgrid[:resolution, :resolution] / resolution
    with Writer(str(directory), directory.name, resolution, channels) as writer:
        for _ in range(count):
            centre, colour = random_state.rand(2), random_state.rand(channels)
            spot = np.exp(-((x - centre[0])**2 + (y - centre[1])**2) * 20)
            image = np.rint(spot * colour[:, None, None] * 255).astype(np.uint8)
            writer.add(pyramid(image))
        if label_size:
            writer.write_labels(np.eye(label_size, dtype=np.float32)[np.arange(count) % label_size])
    return str(directory)


def small_config(data, **options):
    """The RunConfig of a training of seconds on a data set of 8x8 gray images."""
    return run_config('digits', data, 8, 1, 0, {**SMALL_OPTIONS, **options})


def stats_of(run_dir):
    """The lines of stats.jsonl without what a clock or a memory gauge decides."""
    lines = [json.loads(line) for line in (run_dir / 'stats.jsonl').read_text().splitlines()]
    return [{name: value for name, value in line.items() if name not in CLOCK_FIELDS}
            for line in lines]
