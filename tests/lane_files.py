"""Writes files for the other lane of TensorFlow and reads those that it wrote; see test_lanes.py.

  python tests/lane_files.py write FOLDER     files, and in written.npz what is in them
  python tests/lane_files.py read FOLDER      read.npz: what this lane finds in them
"""

import pathlib
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests')]

import numpy as np  # noqa: E402
import tensorflow as tf  # noqa: E402
from small_data import small_config, write_dataset  # noqa: E402

from runs.checkpoints import Checkpoints  # noqa: E402
from training import snapshot  # noqa: E402
from training.dataset import TFRecordDataset, plain_errors  # noqa: E402
from training.layers import named_variables  # noqa: E402
from training.sampler import Sampler  # noqa: E402
from training.state import TrainingState  # noqa: E402


def new_state():
    config = small_config('spots')
    return TrainingState(config.G, config.D)


def own_variables(module):
    """{attribute: tf.Variable}, those in lists with their numbers."""
    return {f'{name}{number}': variable for name, value in vars(module).items()
            for number, variable in enumerate(value if isinstance(value, list) else [value])
            if isinstance(variable, tf.Variable)}


def values_of(state):
    """{name: array} of all of a state."""
    found = own_variables(state)
    for part in ('G', 'D', 'Gs'):
        found.update({f'{part}/{name}': variable for name, variable
                      in named_variables(getattr(state, part)).items()})
    for part in ('G_opt', 'D_opt', 'adaptive_p'):
        found.update({f'{part}/{name}': variable for name, variable
                      in own_variables(getattr(state, part)).items()})
    assert len(found) == len(state.variables)
    return {name: variable.numpy() for name, variable in found.items()}


def images_of(Gs):
    sampler = Sampler(Gs, 0.0)
    return sampler.images(sampler.w(np.random.RandomState(1).randn(3, Gs.config.latent_size)))


def first_of(data):
    """The first minibatch that a training on `data` sees: images and labels."""
    with plain_errors():
        images, labels = next(iter(TFRecordDataset(data, None, 2).batches(16, 8, 0, seed=5)))
    return {'images': images.numpy(), 'labels': labels.numpy()}


def write(folder):
    """A checkpoint, a network file and a data set in `folder`; returns what is in them."""
    state, random = new_state(), np.random.RandomState(3)
    for variable in state.variables:
        variable.assign(random.uniform(0.1, 9, variable.shape).astype(
            variable.dtype.as_numpy_dtype))
    Checkpoints(state, str(folder / 'checkpoints')).save()
    snapshot.save(folder / 'network.safetensors', state.G, state.D, state.Gs, kimg=1.5)
    data = write_dataset(folder / 'spots', label_size=2)
    return {**values_of(state), **first_of(data), 'drawn': images_of(state.Gs)}


def read(folder):
    """What the files in `folder` hold."""
    state = new_state()
    assert Checkpoints(state, str(folder / 'checkpoints')).restore_latest()
    networks = snapshot.load(folder / 'network.safetensors')
    return {**values_of(state), **first_of(folder / 'spots'), 'drawn': images_of(networks.Gs)}


if __name__ == '__main__':
    folder = pathlib.Path(sys.argv[2])
    if sys.argv[1] == 'write':
        np.savez(folder / 'written.npz', **write(folder))
    else:
        np.savez(folder / 'read.npz', **read(folder))
