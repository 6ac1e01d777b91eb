"""How every script starts and how it fails: one clear line instead of a traceback."""

from __future__ import annotations

import os
import re
import sys
import tempfile

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # before TensorFlow is imported: its start-up
                                                    # banner would hide our own first lines.
# What TensorFlow 2.21 writes when it is imported, whatever TF_CPP_MIN_LOG_LEVEL says.
CHATTER = re.compile(r'I\d{4} |To enable the following instructions|'
                     r'WARNING: All log messages before absl::InitializeLog\(\) is called')


def load_tensorflow():
    """Imports TensorFlow, keeping its greetings off standard error; warnings and errors are shown.

    To be called before the first import of what needs TensorFlow, in a script's main: `--help` and
    bad flags do not wait for it.
    """
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        stderr = os.dup(2)
        os.dup2(kept.fileno(), 2)  # the lines are written by C++, past sys.stderr
        try:
            import tensorflow  # noqa: F401
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
            kept.seek(0)
            for line in kept.read().decode(errors='replace').splitlines(keepends=True):
                if not CHATTER.match(line):
                    sys.stderr.write(line)
    from absl import logging
    logging.set_verbosity(logging.WARNING)  # TensorFlow 2.21 tells of each checkpoint


def with_underscores(argv):
    """`--batch-gpu=4` -> `--batch_gpu=4`: flags may have dashes; values stay as they are.

    Only words of two and more letters before the first `=` are touched; what follows a lone `--`
    is left alone, and so are negative numbers.
    """
    result, flags_over = [], False
    for arg in argv:
        flags_over = flags_over or arg == '--'
        if not flags_over and re.match(r'--?[A-Za-z][A-Za-z0-9]*-', arg):
            name, equals, value = arg.partition('=')
            dashes = len(name) - len(name.lstrip('-'))
            arg = name[:dashes] + name[dashes:].replace('-', '_') + equals + value
        result.append(arg)
    return result


def refuse_positional(args):
    """ValueError where something that is no flag stands on a script's command line."""
    if len(args) > 1:
        raise ValueError(f'{args[1]!r} is not a flag; write --flag=value.')


def exit_code(main, args):
    """Runs `main(args)`; a ValueError or OSError becomes one line on stderr and 1."""
    script = os.path.basename(sys.argv[0])
    try:
        return main(args) or 0
    except (ValueError, OSError) as error:
        if os.environ.get('STYLEGAN_TRACEBACK'):  # for developers
            raise
        print(f'{script}: error: {error}', file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print(f'{script}: interrupted', file=sys.stderr)
        return 130


def run(main, command_line=None):
    """Runs `exit_code(main, args)` under absl.

    Args:
        main: callable that takes what is left of the command line (list of str) or, with
            `command_line`, what its parser returned.
        command_line: None for absl flags, else () -> an argparse parser (absl's) of all flags.
    """
    from absl import app
    options = {} if command_line is None else {
        'flags_parser': lambda argv: command_line().parse_args(argv[1:])}
    app.run(lambda args: exit_code(main, args), argv=with_underscores(sys.argv), **options)
