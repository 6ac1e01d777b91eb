"""Trains StarGAN v2: images of several domains, translated from any of them into any other.

  train_translation.py --data=afhq/train --val=afhq/val --preset=afhq
  train_translation.py --data=styles --holdout=0.2 --preset=small     no folder to validate with
  train_translation.py ... the same again                             resumes where it stopped
  train_translation.py ... --resume=network.safetensors               from somebody's network
  train_translation.py ... --dry_run                                  check, say how long, no more

--data is a folder or zip file with a folder of images for each domain, of any format and size, or
a labelled data set of dataset_tool.py. Options not given come from the preset.
"""

from absl import flags

from cli import feature_flags, options, shared_flags, startup, training_run
from training.config import RunConfig
from translation.config import TranslationConfig
from translation.run_config import RUN_PRESETS, TranslationRunConfig, run_config

FLAGS = flags.FLAGS
GROUPS = (('train.py', RunConfig), ('run', TranslationRunConfig), ('networks', TranslationConfig))
OPTIONS = options.all_options(GROUPS, silent=('train.py',))

flags.DEFINE_string('data', None, 'Images to train with: a folder or zip file with a folder for '
                    'each domain, or a labelled data set.')
flags.DEFINE_string('val', None, 'Images of the same domains to validate with. Default: --holdout.')
flags.DEFINE_string('outdir', 'results', 'Where run directories are made.')
flags.DEFINE_enum('preset', 'afhq', list(RUN_PRESETS), 'Named set of options: afhq and celeba_hq '
                  'as published; small = 32x32, narrow, for two CPU cores.')
flags.DEFINE_string('resume', 'auto', "'auto' = resume the newest run with the same data and "
                    "options, or start a new one; 'none' = start a new run; 'latest' = resume the "
                    'newest run of this data, whatever its options; a run number or directory = '
                    'resume that run; a network file = start a run with its weights.')
flags.DEFINE_string('metrics', 'auto', "What to measure after each network snapshot: names, 'none' "
                    "or 'auto' = swd_latent and swd_reference, which need no download, for at most "
                    "5% of the time.")
shared_flags.define(*feature_flags.TRANSLATION_HELP, 'face_network', 'num_gpus', 'memory_growth')
flags.DEFINE_boolean('dry_run', False, 'Check everything, say how long it would take, write '
                     'nothing.')
options.define_flags(OPTIONS)
flags.mark_flag_as_required('data')


def plan_lines(config, images, val, start):
    """What is about to be done, in a few plain lines."""
    networks, size = config.networks, config.networks.img_size
    counts = [', '.join(f'{domain} {len(members)}' for domain, members in zip(
        each.domains, each.members)) for each in (images, val)]
    return [f'Data:       {config.data}: {counts[0]}',
            f'Validation: {config.val or f"held out of these (--holdout={config.holdout:g})"}: '
            f'{counts[1]}',
            f'Networks:   {size}x{size}, {networks.num_domains} domains, {networks.widths[0]} to '
            f'{networks.widths[-1]} channels, w_hpf {networks.w_hpf:g}; {config.precision}',
            f'Losses:     lambda_reg {networks.lambda_reg:g}, lambda_sty {networks.lambda_sty:g}, '
            f'lambda_ds {networks.lambda_ds:g} falling to 0 in {networks.ds_iter} iterations, '
            f'lambda_cyc {networks.lambda_cyc:g}',
            f'Training:   {config.total_kimg:g} kimg (1 kimg = 1000 images translated), minibatch '
            f'{config.batch}, seed {config.seed}',
            f'Start:      {start.description}']


def chosen_metrics(config, images, val, mask_fn):
    """{name: SnapshotMetric} of --metrics."""
    given = feature_flags.given(FLAGS)
    feature_flags.check(given)
    if FLAGS.metrics == 'none':
        return {}
    from metrics.features import FeatureNetworks
    from translation.in_training import loop_metrics
    return loop_metrics(FLAGS.metrics.split(','), images, val, config.seed, mask_fn,
                        FeatureNetworks(given))


def main(args):
    startup.refuse_positional(args)
    startup.load_tensorflow()
    from training import memory
    from training import replicas as devices
    from translation import data, face_masks, forecast, loop
    from translation.starting import Starts
    if FLAGS.memory_growth:
        memory.grow()
    replicas = devices.local_replicas(FLAGS.num_gpus)
    domains = data.open_images(FLAGS.data, check=False).domains
    overrides = {**options.given(OPTIONS, FLAGS), **({'val': FLAGS.val} if FLAGS.val else {})}
    config = run_config(FLAGS.preset, FLAGS.data, len(domains), overrides, replicas.count)
    starts = Starts(config, FLAGS.outdir, domains)
    start = starts.find(FLAGS.resume)
    config = start.config
    images, val = loop.opened(config, check=not start.complete)
    mask_fn = face_masks.mask_fn(config.networks, FLAGS.face_network)
    metrics = chosen_metrics(config, images, val, mask_fn)
    print('\n'.join(plan_lines(config, images, val, start)))
    if FLAGS.dry_run:
        if not start.complete:
            print(f'Time:       {forecast.by_trial(config, images, replicas, start.kimg, mask_fn)}')
        print('Dry run: nothing was written.')
        return 0
    if start.complete:
        return 0
    return training_run.exit_code(
        lambda run_dir: loop.train(config, run_dir, images, val, start.initial, start.kimg, metrics,
                                   replicas, mask_fn), starts, start, replicas)


if __name__ == '__main__':
    startup.run(main)
