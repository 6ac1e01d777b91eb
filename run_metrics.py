"""Measures how good networks are: FID, sliced Wasserstein distance, path length and others.

  run_metrics.py --run=12 --snapshot=all --metrics=swd16k       a run's networks, for plot_run.py
  run_metrics.py --network=ffhq --reals=datasets/ffhq --metrics=fid50k,ppl_wend
  run_metrics.py --network=mine.safetensors --real_stats=faces.npz --metrics=fid50k
  run_metrics.py --reals=datasets/faces --fakes=samples/        two sets of images, no network
  run_metrics.py --check_networks       which feature networks are there, and where to put others

Metrics: swd16k, msssim10k (they need no download); fid50k, fid50k_full, fid10k, kid50k, is50k,
pr50k3, ppl_zfull, ppl_wfull, ppl_zend, ppl_wend, ppl2_wend, ls. docs/metrics.md says what they
mean.
"""

import dataclasses
import sys

import tqdm
from absl import flags

from cli import feature_flags, shared_flags, startup

FLAGS = flags.FLAGS

shared_flags.define('network', *feature_flags.HELP)
flags.DEFINE_string('run', None, 'A run: its number in --results, or its directory.')
flags.DEFINE_string('snapshot', 'latest', "With --run: which of its networks; 'latest', 'all' or "
                    'a kimg.')
flags.DEFINE_string('results', 'results', 'Where the runs are that are given by number.')
flags.DEFINE_string('reals', None, 'Data set, or folder or zip of images, which is converted once. '
                    "Default: the run's data set.")
flags.DEFINE_string('fakes', None, 'Images to measure in place of a network: as --reals.')
flags.DEFINE_boolean('mirror_augment', None, 'Flip reals at random, as training did. Default: as '
                     'the run did; else no.')
flags.DEFINE_integer('resolution', None, "Of the data sets' images. Default: the network's, or "
                     'their own. Images of a folder are cropped and scaled to it.')
flags.DEFINE_list('metrics', 'swd16k', 'What to measure: names separated by commas.')
flags.DEFINE_integer('seed', 0, 'Of latents, noise, flips: the same seed gives the same numbers.',
                     lower_bound=0)
flags.DEFINE_integer('minibatch', 32, 'Images at a time; random draws depend on it.',
                     lower_bound=1)
flags.DEFINE_string('real_stats', None, '.npz file with mu and sigma of the Inception features '
                    'of reals, for FID.')
flags.DEFINE_integer('num_gpus', None, 'GPUs of this machine that share the images; default: all, '
                     'or the CPU where there are none. The numbers do not depend on it.',
                     lower_bound=1)
flags.DEFINE_string('cache_dir', None, 'Where downloads and statistics are kept; default: '
                    '$STYLEGAN_CACHE_DIR or ~/.cache/stylegan-tf2.')
flags.DEFINE_string('outdir', 'out/metrics', 'Where metric-NAME.jsonl are written without --run, '
                    "whose are in the run's directory.")
flags.DEFINE_boolean('check_networks', False, 'Say which feature networks are there, and which '
                     'file to put where; do nothing else.')


class Progress:
    """A bar with the time left for each part of a metric (terminals only)."""

    def __init__(self, name):
        self.name, self.part, self.bar = name, None, None

    def __call__(self, part, done, total):
        if part != self.part:
            self.close()
            self.part, self.bar = part, tqdm.tqdm(total=total, initial=done, unit='',
                                                  leave=False, desc=f'{self.name}: {part}',
                                                  disable=None)
        self.bar.update(done - self.bar.n)

    def close(self):
        if self.bar is not None:
            self.bar.close()


def check_flags():
    """ValueError where flags do not go together; before anything is loaded."""
    given = [name for name in ('network', 'run', 'fakes') if FLAGS[name].value]
    if len(given) != 1:
        raise ValueError('one of --network, --run and --fakes must say what to measure; received '
                         f'{" and ".join(f"--{name}" for name in given) or "none of them"}.')
    if FLAGS.resolution and not FLAGS.fakes:
        raise ValueError('--resolution is for --fakes; a network has its own: leave it out.')
    startup.load_tensorflow()
    from metrics.registry import check_request
    for name in FLAGS.metrics:
        check_request(name, not FLAGS.fakes, bool(FLAGS.reals or FLAGS.run),
                      bool(FLAGS.real_stats))


def feature_networks(devices):
    """FeatureNetworks as the flags name them."""
    from metrics.features import FeatureNetworks
    return FeatureNetworks(feature_flags.given(FLAGS), FLAGS.cache_dir, devices)


def print_networks():
    """Which feature networks are there, and which file to put where."""
    startup.load_tensorflow()
    from metrics.features import FILES
    from metrics.registry import METRICS
    from training.devices import ONE_DEVICE
    networks = feature_networks(ONE_DEVICE)
    for network in FILES:
        users = ', '.join(name for name in METRICS if network in METRICS[name].networks)
        missing, damaged = networks.missing(network), networks.damaged(network)
        states = ['missing'] * bool(missing) + ['damaged'] * bool(damaged)
        print(f'{network}: {" and ".join(states) or "there"} (for {users})')
        for path, url in missing:
            print(f'  {url}\n    -> {path}')
        for path, url in damaged:
            print(f'  {url}\n    -> {path}, where a file of another sha256 is')


def subjects():
    """Yields each Subject to measure and the directory for its results."""
    import tensorflow as tf

    from formats import download
    from metrics.subjects import Setting, networks_of_run, of_images, of_network
    from runs import directory
    from training import replicas
    from training.config_json import run_config_from_json
    from training.devices import Devices
    tf.get_logger().setLevel('ERROR')  # it takes the copies on several GPUs for needless retracing
    devices = Devices(replicas.local_devices(FLAGS.num_gpus))
    setting = Setting(feature_networks(devices), FLAGS.reals, FLAGS.real_stats, FLAGS.resolution,
                      bool(FLAGS.mirror_augment), FLAGS.seed, FLAGS.minibatch, FLAGS.cache_dir)
    if FLAGS.fakes:
        yield of_images(FLAGS.fakes, setting), FLAGS.outdir
    elif FLAGS.network:
        yield of_network(download.local_path(FLAGS.network, FLAGS.cache_dir), setting), FLAGS.outdir
    else:
        run_dir = directory.find_run(FLAGS.results, FLAGS.run, '--run=')
        paths = networks_of_run(run_dir, FLAGS.snapshot)
        config = directory.load_options(run_dir, run_config_from_json)
        setting = dataclasses.replace(setting, reals=FLAGS.reals or config.data, mirror=(
            config.mirror_augment if FLAGS.mirror_augment is None else FLAGS.mirror_augment))
        for path in paths:
            yield of_network(path, setting), run_dir


def measure(name, subject, directory):
    """Measures one metric of one subject, prints and writes it."""
    from metrics import results
    progress = Progress(name)
    task = dataclasses.replace(subject.task, progress=progress)
    try:
        values, record = results.measure(name, task, subject.about)
    finally:
        progress.close()
    print(results.rows(subject.label, values, record), flush=True)
    results.append(directory, record)


def main(args):
    startup.refuse_positional(args)
    if FLAGS.check_networks:
        print_networks()
        return 0
    check_flags()
    from metrics import results
    left_out = {}
    for number, (subject, directory) in enumerate(subjects()):
        if not number:
            print(results.HEADER)
        for name in FLAGS.metrics:
            if name not in left_out:
                try:
                    measure(name, subject, directory)
                except (ValueError, OSError) as error:  # the other metrics are still wanted
                    left_out[name] = error
                    print(f'{name} left out: {error}', file=sys.stderr)
    return 1 if left_out else 0


if __name__ == '__main__':
    startup.run(main)
