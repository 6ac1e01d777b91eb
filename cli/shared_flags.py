"""Flags that several scripts have, each defined in one place; a script asks for them by name."""

from __future__ import annotations

import functools
import re

from absl import flags

from cli import feature_flags

FLAGS = flags.FLAGS

flags.disclaim_key_flags()  # --help lists them with the script's own


WHICH = ['Gs', 'G']
PARSED = {flags.DEFINE_string: str, flags.DEFINE_integer: int, flags.DEFINE_float: float}


def _define_which(name, default, text):
    flags.DEFINE_enum(name, default, WHICH, text)


SHARED = {  # {flag: (how absl defines it, help)}; the default of all is None
    'network': (flags.DEFINE_string, 'Network: a path, a URL or a short name (ffhq, ...).'),
    'which': (_define_which, 'Generator that draws: Gs, the moving average, or G, as training left '
                             'it. Default: Gs.'),
    'lod': (flags.DEFINE_float, 'Level of detail that is drawn, as in training: each whole number '
                                'halves the size of the images, what lies between blends two. '
                                "Default: the network file's, 0 after training."),
    'trunc': (flags.DEFINE_float, 'Truncation psi: 1 = none, 0 = the average style in all layers '
                                  "that --trunc_cutoff names. Default: the network's own, 0.7 as "
                                  'a rule; with --w none.'),
    'trunc_cutoff': (flags.DEFINE_string, 'Layers that are truncated: so many, the coarsest first, '
                                          'or all. Above 32x32 psi 0 is one average image only '
                                          "with all. Default: the network's own, 8 as a rule; with "
                                          '--w all.'),
    'styles': (flags.DEFINE_string, 'Style layers: numbers, resolutions and their ranges, such as '
                                    '0-3, 4x4-8x8 or 9,64x64, or coarse, middle, fine. Default: '
                                    'coarse.'),
    'class_idx': (flags.DEFINE_integer, 'Class of all images, for a conditional network. Default: '
                                        'each class in turn.'),
    'allow_other_network': (flags.DEFINE_boolean, 'Take w (and directions) of another network file '
                                                  'of the same shape: an earlier snapshot, say, or '
                                                  'the same network converted.'),
    'num_gpus': (functools.partial(flags.DEFINE_integer, lower_bound=1),
                 'GPUs of this machine that share the minibatch; default: all, or the CPU where '
                 'there are none.'),
    'memory_growth': (flags.DEFINE_boolean, 'Take GPU memory as it is needed, so that other '
                                            'programs can use the same GPU. Default: all of it at '
                                            'once, which fragments less.'),
    'face_network': (flags.DEFINE_string, 'Path of wing.ckpt, which finds faces: for translation '
                                          'networks with w_hpf above 0, to keep details of the '
                                          'source. Default: no masks.'),
    'cache_dir': (flags.DEFINE_string, 'Where downloads are kept. Default: $STYLEGAN_CACHE_DIR or '
                                       '~/.cache/stylegan-tf2.'),
    **{name: (flags.DEFINE_string, text) for name, text in
       {**feature_flags.HELP, **feature_flags.TRANSLATION_HELP}.items()}}


def define(*names):
    """Defines the flags of these names in SHARED."""
    for name in names:
        define_one, text = SHARED[name]
        define_one(name, None, text)


def add_arguments(parser, *names):
    """Adds the flags of these names in SHARED to an argparse parser; the default of all is None."""
    for name in names:
        define_one, text = SHARED[name]
        if define_one is flags.DEFINE_boolean:
            parser.add_argument(f'--{name}', action='store_true', help=text)
        elif define_one is _define_which:
            parser.add_argument(f'--{name}', choices=WHICH, help=text)
        else:
            parser.add_argument(f'--{name}', type=PARSED[define_one], help=text)


def cutoff_of(text):
    """A Truncation's cutoff, as the text of --trunc_cutoff says."""
    if text is None or text == 'all':
        return text
    if not re.fullmatch(r'\d{1,9}', text, re.ASCII):
        raise ValueError(f'--trunc_cutoff={text}: must be all or a number of layers from 0 up, '
                         'such as --trunc_cutoff=8.')
    return int(text)


def truncation(psi=None):
    """The Truncation of --trunc and --trunc_cutoff; psi: instead of what --trunc says."""
    cutoff = cutoff_of(FLAGS.trunc_cutoff)
    from training.sampler import Truncation
    return Truncation(FLAGS.trunc if psi is None else psi, cutoff)
