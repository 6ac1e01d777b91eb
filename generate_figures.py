"""Draws the figures of the StyleGAN paper, with its networks or with one of your own.

  generate_figures.py                                       all, with the published networks
  generate_figures.py --figures=2,3,8 --network=mine.safetensors
  generate_figures.py --figures=3 --row_seeds=0-5 --col_seeds=6-10 --trunc=0.7 --network=cats

2, 10, 11, 12 = uncurated images; 3 = style mixing; 4 = what noise changes; 5 = noise in some of the
layers; 8 = truncation. Style ranges, crops and sizes follow from the network's layers and pixels.
"""

import os

from absl import flags

from cli import shared_flags, startup
from pictures.latents import parse_numbers

FLAGS = flags.FLAGS

shared_flags.define('which', 'lod', 'trunc_cutoff', 'class_idx', 'cache_dir')
flags.DEFINE_string('network', None, 'Network of all figures: a path, a URL or a short name '
                    '(ffhq, ...). Default: for each figure the published one that the paper shows.')
flags.DEFINE_string('figures', None, 'Which figures of the paper, such as 2,3,8. Default: all that '
                    'the network can show.')
flags.DEFINE_float('trunc', None, 'Truncation psi of all figures but 8, in the layers that '
                   "--trunc_cutoff names. Default: the network's own in 2, 10, 11 and 12, none in "
                   '3, 4 and 5, as in the paper.')
flags.DEFINE_string('seeds', None, 'Images of figures 4, 5 and 8. Default: those of the paper.')
flags.DEFINE_string('row_seeds', None, 'Images at the left of Figure 3, which the styles go into.')
flags.DEFINE_string('col_seeds', None, 'Images at the top of Figure 3, which styles come from.')
flags.DEFINE_integer('grid_seed', None, 'Seed of all images of figures 2, 10, 11 and 12.')
flags.DEFINE_string('crop', 'auto', "What is shown of each image: 512x384 = the middle rows, full, "
                    'or auto = without black bars, if the network makes such.')
flags.DEFINE_string('outdir', 'out/figures', 'Where the figures are written.')


def _numbers(flag):
    text = FLAGS[flag].value
    return None if text is None else tuple(parse_numbers(text, flag))


def wanted_figures(known):
    """Numbers of the figures asked for, each once."""
    numbers = list(dict.fromkeys(_numbers('figures') or known))
    for number in numbers:
        if number not in known:
            raise ValueError(f'--figures={FLAGS.figures}: there is no figure {number} to draw; '
                             f'choose from {", ".join(map(str, known))}.')
    return numbers


def drawable(sampler, numbers):
    """Those of the figures that the network can show; ValueError where others were asked for."""
    from pictures import figures
    reasons = {number: figures.why_not(number, sampler) for number in numbers}
    for number, reason in reasons.items():
        if reason and FLAGS.figures is not None:
            raise ValueError(f'--figures={FLAGS.figures}: figure {number} cannot be drawn, '
                             f'{reason}; leave it out or take another network.')
        if reason:
            print(f'Figure {number} left out: {reason}.')
    return [number for number in numbers if not reasons[number]]


def main(args):
    startup.refuse_positional(args)
    seeds = {flag: _numbers(flag) for flag in ('seeds', 'row_seeds', 'col_seeds')}
    startup.load_tensorflow()
    from formats.png import save_png
    from pictures import figures
    from pictures.opening import open_sampler
    options = figures.Options(truncation=shared_flags.truncation(), grid_seed=FLAGS.grid_seed,
                              class_idx=FLAGS.class_idx, **seeds)
    by_network = {}
    for number in wanted_figures(list(figures.FIGURES)):
        by_network.setdefault(FLAGS.network or figures.FIGURES[number].network, []).append(number)
    for network, numbers in by_network.items():
        sampler = open_sampler(network, FLAGS.crop, FLAGS.cache_dir, FLAGS.which, FLAGS.lod)
        figures.check(sampler, options)
        numbers = drawable(sampler, numbers)
        os.makedirs(FLAGS.outdir, exist_ok=True)
        for number in numbers:
            path = os.path.join(FLAGS.outdir, figures.FIGURES[number].file_name)
            save_png(path, figures.FIGURES[number].draw(sampler, options))
            print(f'Wrote {path}', flush=True)


if __name__ == '__main__':
    startup.run(main)
