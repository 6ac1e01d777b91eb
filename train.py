"""Trains a StyleGAN (or ProGAN) on a data set made by dataset_tool.py.

  train.py --data=datasets/faces                        train with the preset for one GPU
  train.py --data=datasets/faces                        the same again: resumes where it stopped
  train.py --data=datasets/faces --resume=none          start another run
  train.py --data=datasets/cats --resume=faces.safetensors      transfer learning from a network
  train.py --data=photos.zip --resolution=256           a folder or zip of images is converted first
  train.py --data=datasets/faces --dry_run              check, show the plan, write nothing
  train.py --list_presets                               named sets of options, and what they are for

Options not given come from the preset. 1 kimg = 1000 real images shown to the discriminator.
"""

import os

from absl import flags

from cli import augment_flags, feature_flags, options, shared_flags, startup, training_run
from conversion import cache, decode, from_images
from training.config_json import run_config_from_json, to_json
from training.field_types import FIELD_TYPES
from training.presets import PRESETS, default_augment, find_preset, run_config

FLAGS = flags.FLAGS
OPTIONS = options.all_options()

flags.DEFINE_string('data', None, 'Data set made by dataset_tool.py, or a folder or zip of images, '
                    'which is then converted once, below --outdir.')
flags.DEFINE_string('outdir', 'results', 'Where run directories are made.')
flags.DEFINE_string('preset', 'auto', 'Named set of options; --list_presets shows them.')
flags.DEFINE_boolean('list_presets', False, 'List the presets and what each is for, do nothing '
                     'else.')
flags.DEFINE_integer('resolution', None, 'Train at this resolution; default: the data set\'s. '
                     'Images of a folder or zip are cropped and scaled to it.')
flags.DEFINE_string('max_label_size', None, 'Labels: 0 = unconditional, N = the first N '
                    "components, full = all. Default: the preset's, 0 as a rule.")
flags.DEFINE_string('resume', 'auto', "'auto' = resume the newest run with the same data set and "
                    "options, or start a new one if there is none; 'none' = start a new run; "
                    "'latest' = resume the newest run of this data set, whatever its options; a "
                    'run number or directory = resume that run; a network file = start a run with '
                    'its weights (transfer learning).')
flags.DEFINE_integer('resume_snapshot', None, 'With --resume=RUN: start a new run with the weights '
                     "of that run's network snapshot at this kimg.")
flags.DEFINE_float('resume_kimg', None, 'With weights from a network file: where in the schedule '
                   'to start, in kimg. Default: where full resolution has faded in, or the '
                   "snapshot's own kimg with --resume_snapshot.")
flags.DEFINE_list('surgery', [], 'With --resume=NETWORK_FILE: what of its networks may be changed '
                  'into the shape that the data need: resolution, channels (gray or RGB), labels '
                  '(added or removed). Default: nothing.')
flags.DEFINE_string('metrics', 'auto', 'What to measure after each network snapshot: names '
                    "separated by commas, 'none', or 'auto' = swd16k, as often as 5% of the "
                    'time allows. The best network by the first metric is kept as network-best-*.')
shared_flags.define(*feature_flags.HELP, 'num_gpus', 'memory_growth')
flags.DEFINE_enum('strategy', 'mirrored', ['mirrored', 'multi_worker'], "'mirrored' = this machine "
                  "alone; 'multi_worker' = several machines, which TF_CONFIG or Slurm name. The "
                  'same command is started on each.')
flags.DEFINE_boolean('dry_run', False, 'Check everything, say what would be trained and '
                     'how long it would take, write nothing.')
augment_flags.define()
options.define_flags(OPTIONS)
flags.register_multi_flags_validator(
    ['data', 'list_presets'], lambda values: values['data'] or values['list_presets'],
    '--data must name a data set, or a folder or zip of images.')


def configured(dataset, num_gpus, overrides):
    """The RunConfig that preset, data set and `overrides` name."""
    return run_config(FLAGS.preset, dataset.directory, dataset.resolution, dataset.num_channels,
                      dataset.label_size, overrides, num_gpus, dataset.num_images)


def overrides(dataset):
    """{field of a config: value} of the flags that are given."""
    given = augment_flags.given(FLAGS, default_augment(FLAGS.preset, dataset.num_images),
                                find_preset(FLAGS.preset).augment)
    return {**options.given(OPTIONS, FLAGS), **given}


def print_plan(start, dataset, num_gpus):
    """What would be trained."""
    from training import plan
    try:
        standard = configured(dataset, num_gpus, {})
    except ValueError:  # such as a preset that begins at more pixels than the data have
        standard = None
    print(plan.plan(FLAGS.preset, standard, options.given(OPTIONS, FLAGS), dataset, start))


def print_presets():
    """Every preset with what it is for."""
    width = max(len(name) for name in PRESETS)
    for name, preset in PRESETS.items():
        print(f'{name:{width}}  {preset.description}')
    print('\nEach flag overrides what a preset says. Without -Ngpu in its name, a preset takes the '
          'minibatches\n(ProGAN\'s: learning rates too) for 1, 2, 4 or 8 GPUs, the most that there '
          'are.')


def converted(label_size):
    """The data set that --data names. Images are converted, with folders as classes if need be.

    In a dry run images are only checked; None is returned then.
    """
    rules = decode.Rules() if FLAGS.resolution is None else decode.Rules(FLAGS.resolution,
                                                                         crop='center')
    if FLAGS.strategy == 'multi_worker' and os.path.exists(FLAGS.data) and not cache.is_dataset(
            FLAGS.data):
        raise ValueError(f'--data={FLAGS.data} must be a data set with --strategy=multi_worker; '
                         'received images. Convert them once, with dataset_tool.py '
                         'create_from_images.')
    wanted = from_images.Options(rules, labels='folders' if label_size else None,
                            check_only=FLAGS.dry_run)
    if FLAGS.dry_run and os.path.exists(FLAGS.data) and not cache.is_dataset(FLAGS.data):
        from_images.create(FLAGS.outdir, FLAGS.data, wanted)
        return None
    return cache.ensure_dataset(FLAGS.data, os.path.join(FLAGS.outdir, 'converted'), wanted)


def main(args):
    startup.refuse_positional(args)
    if FLAGS.list_presets:
        print_presets()
        return 0
    label_size = FLAGS.max_label_size or find_preset(FLAGS.preset).max_label_size
    if label_size != 'full':
        label_size = options.parse('max_label_size', FIELD_TYPES[int], label_size)
    data = converted(label_size)
    if data is None:
        print('Dry run: the images would be converted, then trained on; nothing was written.')
        return 0
    startup.load_tensorflow()
    from training import loop, starting
    from training.dataset import TFRecordDataset
    replicas = found_replicas()
    dataset = TFRecordDataset(data, FLAGS.resolution, label_size)
    wanted = configured(dataset, replicas.count, overrides(dataset))
    start = found_start(wanted, replicas)
    starting.check_minibatches(start.config, dataset.num_images)
    metrics = chosen_metrics(dataset, start.config) if replicas.is_chief else {}
    if replicas.is_chief:
        print_plan(start, dataset, replicas.count)
        print_forecast(start, dataset, replicas)
    if FLAGS.dry_run:
        print('Dry run: nothing was written.')
        return 0
    if start.complete:
        return 0
    return training_run.exit_code(
        lambda run_dir: loop.train(start.config, run_dir, start.initial, start.kimg, metrics,
                                   replicas),
        starting.Starts(start.config, FLAGS.outdir), start, replicas)


def print_forecast(start, dataset, replicas):
    """How long it will take: in a dry run by a trial; else only where a CPU takes very long."""
    import tensorflow as tf

    from training import forecast
    if start.complete or replicas.workers > 1:
        return
    words = None
    if FLAGS.dry_run:
        words = forecast.by_trial(start.config, dataset, replicas, start.kimg)
    elif not tf.config.list_logical_devices('GPU'):
        words = forecast.on_cpu(start.config, start.kimg)
    if words:
        print(f'Time:       {words}')


def found_replicas():
    """The devices that --strategy and --num_gpus name."""
    import tensorflow as tf

    from training import cluster, memory, replicas
    tf.get_logger().setLevel('WARNING')  # its strategies tell much
    if FLAGS.memory_growth:
        memory.grow()
    if FLAGS.strategy == 'mirrored':
        return replicas.local_replicas(FLAGS.num_gpus)
    return cluster.cluster_replicas(cluster.find_cluster(os.environ), FLAGS.num_gpus)


def found_start(config, replicas):
    """What --resume names: the chief finds it and tells the others what they have to know."""
    from training import cluster, starting, surgery
    with cluster.plain_losses(replicas):
        cluster.check_same_options(replicas, to_json(config))
        if replicas.is_chief:
            starts = starting.Starts(config, FLAGS.outdir, surgery.parse(FLAGS.surgery),
                                     options.given(OPTIONS, FLAGS))
            start = starts.find(FLAGS.resume, FLAGS.resume_snapshot, FLAGS.resume_kimg)
            replicas.text_from_chief(to_json(start.config))
        else:
            start = starting.Start(run_config_from_json(replicas.text_from_chief('')), 'the chief')
        return start._replace(complete=replicas.any_worker(start.complete))


def chosen_metrics(dataset, config):
    """{name: callable} of --metrics; TensorFlow's share of it is imported only if there are any."""
    given = feature_flags.given(FLAGS)
    feature_flags.check(given)
    if FLAGS.metrics == 'none':
        return {}
    from metrics.features import FeatureNetworks
    from metrics.in_training import loop_metrics
    return loop_metrics(FLAGS.metrics.split(','), dataset, config.mirror_augment, config.seed,
                        FeatureNetworks(given))


if __name__ == '__main__':
    startup.run(main)
