"""Flags that several scripts have, each defined in one place; a script asks for them by name."""

from __future__ import annotations

from absl import flags

from cli import feature_flags

flags.disclaim_key_flags()  # --help lists them with the script's own

SHARED = {  # {flag: (how absl defines it, help)}; the default of all is None
    'network': (flags.DEFINE_string, 'Network: a path, a URL or a short name (ffhq, ...).'),
    'trunc': (flags.DEFINE_float, 'Truncation psi: 1 = none, 0 = the average image. Default: the '
                                  "network's own, 0.7 as a rule; with --w none."),
    'class_idx': (flags.DEFINE_integer, 'Class of all images, for a conditional network. Default: '
                                        'each class in turn.'),
    'cache_dir': (flags.DEFINE_string, 'Where downloads are kept. Default: $STYLEGAN_CACHE_DIR or '
                                       '~/.cache/stylegan-tf2.'),
    **{name: (flags.DEFINE_string, text) for name, text in feature_flags.HELP.items()}}


def define(*names):
    """Defines the flags of these names in SHARED."""
    for name in names:
        define_one, text = SHARED[name]
        define_one(name, None, text)
