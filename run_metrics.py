"""Measures how good networks are: FID, sliced Wasserstein distance, path length and others.

  run_metrics.py --run=12 --snapshot=all --metrics=swd16k       a run's networks, for plot_run.py
  run_metrics.py --network=ffhq --reals=datasets/ffhq --metrics=fid50k,ppl_wend
  run_metrics.py --network=mine.safetensors --real_stats=faces.npz --metrics=fid50k
  run_metrics.py --reals=datasets/faces --fakes=samples/        two sets of images, no network
  run_metrics.py --network=afhq.safetensors --reals=afhq/train --val=afhq/val    translation
  run_metrics.py --check_networks       which feature networks are there, and where to put others

Metrics: swd16k, msssim10k (they need no download); fid50k, fid50k_full, fid10k, kid50k, is50k,
pr50k3, ppl_zfull, ppl_wfull, ppl_zend, ppl_wend, ppl2_wend, ls. Of translation networks:
swd_latent, swd_reference (no download); fid_latent, fid_reference, lpips_latent, lpips_reference.
docs/metrics.md says what they mean.
"""

import dataclasses
import json
import os
import sys

import tqdm
from absl import flags

from cli import feature_flags, shared_flags, startup

FLAGS = flags.FLAGS

DEFAULT_METRICS = {False: ['swd16k'], True: ['swd_latent', 'swd_reference']}  # {translation: ...}

shared_flags.define('network', 'face_network', *feature_flags.HELP, *feature_flags.TRANSLATION_HELP)
flags.DEFINE_string('run', None, 'A run: its number in --results, or its directory.')
flags.DEFINE_string('snapshot', 'latest', "With --run: which of its networks; 'latest', 'all' or "
                    'a kimg.')
flags.DEFINE_string('results', 'results', 'Where the runs are that are given by number.')
flags.DEFINE_string('reals', None, 'Data set, or folder or zip of images, which is converted once. '
                    'Of a translation network: training images, a folder for each domain, or a '
                    "labelled data set. Default: the run's data set.")
flags.DEFINE_string('val', None, 'Of a translation network: images to translate and to take styles '
                    'from, a folder for each domain, or a labelled data set. Default: those that '
                    'the run was validated with.')
flags.DEFINE_string('fakes', None, 'Images to measure in place of a network: as --reals.')
flags.DEFINE_boolean('mirror_augment', None, 'Flip reals at random, as training did. Default: as '
                     'the run did; else no.')
flags.DEFINE_integer('resolution', None, "Of the data sets' images. Default: the network's, or "
                     'their own. Images of a folder are cropped and scaled to it.')
flags.DEFINE_list('metrics', None, 'What to measure: names separated by commas. Default: '
                  + '; of translation networks '.join(map(','.join, DEFAULT_METRICS.values()))
                  + '.')
flags.DEFINE_integer('seed', 0, 'Of latents, noise, flips: the same seed gives the same numbers.',
                     lower_bound=0)
flags.DEFINE_integer('minibatch', 32, 'Images at a time, in which a StyleGAN network draws; random '
                     'draws depend on it.',
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


def tables():
    """{whether of translation networks: {name: Metric}}"""
    startup.load_tensorflow()
    from metrics.registry import METRICS
    from translation.metrics import METRICS as TRANSLATION
    return {False: METRICS, True: TRANSLATION}


def check_flags():
    """ValueError where flags do not go together; before anything is loaded."""
    given = [name for name in ('network', 'run', 'fakes') if FLAGS[name].value]
    if len(given) != 1:
        raise ValueError('one of --network, --run and --fakes must say what to measure; received '
                         f'{" and ".join(f"--{name}" for name in given) or "none of them"}.')
    if FLAGS.resolution and not FLAGS.fakes:
        raise ValueError('--resolution is for --fakes; a network has its own: leave it out.')
    known = [name for table in tables().values() for name in table]
    for name in FLAGS.metrics or []:
        if name not in known:
            raise ValueError(f'metrics must be among {", ".join(known)}; received {name!r:.60}.')


def check_kind(is_translation):
    """ValueError where a flag or a metric is for networks of the other kind."""
    kind = 'a translation network' if is_translation else 'a StyleGAN network, or images'
    others = ('real_stats', 'mirror_augment') if is_translation else ('val', 'face_network')
    for name in others:
        if FLAGS[name].value is not None:
            raise ValueError(f'--{name} says nothing of {kind}, which is measured here; leave it '
                             'out.')
    table = tables()[is_translation]
    for name in FLAGS.metrics or []:
        if name not in table:
            raise ValueError(f'--metrics={name}: is not for {kind}, which is measured here; choose '
                             f'among {", ".join(table)}.')


def check_needs(is_translation):
    """ValueError where a metric needs something that no flag names."""
    from metrics.registry import check_request
    if is_translation and not (FLAGS.val or FLAGS.run):
        raise ValueError('--val must name the images that the network translates, a folder for '
                         'each domain; received none.')
    for name in chosen_metrics(is_translation):
        check_request(name, not FLAGS.fakes, bool(FLAGS.reals or FLAGS.run),
                      bool(FLAGS.real_stats), tables()[is_translation])


def chosen_metrics(is_translation):
    """Names of the metrics to measure."""
    return FLAGS.metrics or DEFAULT_METRICS[is_translation]


def feature_networks(devices):
    """FeatureNetworks as the flags name them."""
    from metrics.features import FeatureNetworks
    return FeatureNetworks(feature_flags.given(FLAGS), FLAGS.cache_dir, devices)


def print_networks():
    """Which feature networks are there, and which file to put where."""
    startup.load_tensorflow()
    from metrics.features import FILES
    from training.devices import ONE_DEVICE
    networks = feature_networks(ONE_DEVICE)
    metrics = {name: metric for table in tables().values() for name, metric in table.items()}
    for network in FILES:
        users = ', '.join(name for name in metrics if network in metrics[name].networks)
        missing, damaged = networks.missing(network), networks.damaged(network)
        states = ['missing'] * bool(missing) + ['damaged'] * bool(damaged)
        print(f'{network}: {" and ".join(states) or "there"} (for {users})')
        for path, url in missing:
            print(f'  {url}\n    -> {path}')
        for path, url in damaged:
            print(f'  {url}\n    -> {path}, where a file of another sha256 is')


def run_options(text):
    """The RunConfig or TranslationRunConfig of the text of training_options.json."""
    from training.config_json import run_config_from_json
    from translation import run_config
    is_translation = json.loads(text).get('architecture') == run_config.ARCHITECTURE
    return (run_config.from_json if is_translation else run_config_from_json)(text)


def networks_to_measure():
    """(network files, directory for their results, options of their run or None)."""
    from formats import download
    from metrics.subjects import networks_of_run
    from runs import directory
    if FLAGS.fakes:
        return [], FLAGS.outdir, None
    if FLAGS.network:
        return [download.local_path(FLAGS.network, FLAGS.cache_dir)], FLAGS.outdir, None
    run_dir = directory.find_run(FLAGS.results, FLAGS.run, '--run=')
    return (networks_of_run(run_dir, FLAGS.snapshot), run_dir,
            directory.load_options(run_dir, run_options))


def of_stylegan(paths, config, networks):
    """Yields the Subject of each network of StyleGAN, or of --fakes.

    config: of the run, or None. networks: FeatureNetworks.
    """
    from metrics.subjects import Setting, of_images, of_network
    mirror = FLAGS.mirror_augment
    setting = Setting(networks, FLAGS.reals or (config and config.data), FLAGS.real_stats,
                      FLAGS.resolution,
                      bool(config and config.mirror_augment) if mirror is None else mirror,
                      FLAGS.seed, FLAGS.minibatch, FLAGS.cache_dir)
    if FLAGS.fakes:
        yield of_images(FLAGS.fakes, setting)
    for path in paths:
        yield of_network(path, setting)


def of_translation(paths, config, networks):
    """Yields the Subject of each translation network; for the arguments see `of_stylegan`."""
    from translation import face_masks, loop, snapshot
    from translation.data import open_images
    from translation.subjects import Setting, of_networks
    given = [open_images(path) if path else None for path in (FLAGS.reals, FLAGS.val)]
    own = loop.opened(config) if config and None in given else (None, None)
    images, val = (one or other for one, other in zip(given, own))
    setting = Setting(networks, images, val, FLAGS.seed, FLAGS.cache_dir)
    for path in paths:
        held = snapshot.load(path, averages_only=True)
        yield of_networks(held, path, setting, face_masks.mask_fn(held.config, FLAGS.face_network))


def subjects():
    """Yields each Subject to measure, the directory for its results, and names of metrics."""
    import tensorflow as tf

    from training import replicas
    from training.devices import Devices
    from translation.snapshot import is_translation as looks_like_translation
    tf.get_logger().setLevel('ERROR')  # it takes the copies on several GPUs for needless retracing
    networks = feature_networks(Devices(replicas.local_devices(FLAGS.num_gpus)))
    paths, directory, config = networks_to_measure()
    is_translation = bool(paths) and looks_like_translation(paths[0])
    check_kind(is_translation)
    check_needs(is_translation)
    for subject in (of_translation if is_translation else of_stylegan)(paths, config, networks):
        yield subject, directory, chosen_metrics(is_translation)


def measure(name, subject, directory):
    """Measures one metric of one subject, prints and writes it."""
    from formats.file_kind import NETWORK_SUFFIX
    from metrics import results
    progress = Progress(name)

    def keep(what, result):
        path = os.path.join(directory, f'{what}{NETWORK_SUFFIX}')
        os.makedirs(directory, exist_ok=True)
        result.write(path, subject.about['network_sha256'])
        print(f'Wrote {path}')

    task = dataclasses.replace(subject.task, progress=progress, keep=keep)
    try:
        values, record = results.measure(name, task, subject.about, subject.metrics)
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
    for number, (subject, directory, names) in enumerate(subjects()):
        if not number:
            print(results.HEADER)
        for name in names:
            if name not in left_out:
                try:
                    measure(name, subject, directory)
                except (ValueError, OSError) as error:  # the other metrics are still wanted
                    left_out[name] = error
                    print(f'{name} left out: {error}', file=sys.stderr)
    return 1 if left_out else 0


if __name__ == '__main__':
    startup.run(main)
