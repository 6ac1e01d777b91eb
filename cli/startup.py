"""How every script starts and how it fails: one clear line instead of a traceback."""

from __future__ import annotations

import contextlib
import os
import re
import subprocess
import sys

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # before TensorFlow is imported: its start-up
                                                    # banner would hide our own first lines.
# Writes on stderr what it reads, without what TensorFlow 2.21 says when it is imported, whatever
# TF_CPP_MIN_LOG_LEVEL is. A process of its own: it still writes if the import ends in a crash.
WITHOUT_GREETINGS = r'''
import re, signal, sys
signal.signal(signal.SIGINT, signal.SIG_IGN)
greeting = re.compile(rb'I\d{4} |To enable the following instructions:|'
                      rb'WARNING: All log messages before absl::InitializeLog')
for line in sys.stdin.buffer:
    if not greeting.match(line):
        sys.stderr.buffer.write(line)
        sys.stderr.buffer.flush()
'''


# Keras 3 imports these where they are installed, for what nothing here uses: a third of its start.
PLUGINS_OF_KERAS = ('matplotlib', 'sklearn')


@contextlib.contextmanager
def as_if_absent(names):
    """Inside, the modules of these names cannot be imported, unless they have been before."""
    names = [name for name in names if name not in sys.modules]
    sys.modules.update(dict.fromkeys(names))  # None: what Python takes for "is not there"
    try:
        yield
    finally:
        for name in names:
            del sys.modules[name]


def load_tensorflow():
    """Imports TensorFlow and keeps its greetings off stderr; warnings and errors are shown.

    float32 is float32 from here on, on GPUs too, which would otherwise round it to TF32.
    To be called in a script's main, before what imports TensorFlow: `--help` and wrong flags do not
    wait for it.
    """
    if 'tensorflow' in sys.modules or sys.stderr is None:
        return
    sys.stderr.flush()
    stderr = os.dup(2)
    with subprocess.Popen([sys.executable, '-ISc', WITHOUT_GREETINGS],
                          stdin=subprocess.PIPE) as quiet:
        os.dup2(quiet.stdin.fileno(), 2)  # the lines are written by C++, past sys.stderr
        try:
            with as_if_absent(PLUGINS_OF_KERAS):
                import tensorflow
        finally:
            os.dup2(stderr, 2)
            os.close(stderr)
    tensorflow.config.experimental.enable_tensor_float_32_execution(False)


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
    from absl import app, flags, logging

    def started(args):
        if not flags.FLAGS['verbosity'].present:  # absl takes INFO then, at which TensorFlow 2.21
            logging.set_verbosity(logging.WARNING)   # tells of each checkpoint
        return exit_code(main, args)

    options = {} if command_line is None else {
        'flags_parser': lambda argv: command_line().parse_args(argv[1:])}
    app.run(started, argv=with_underscores(sys.argv), **options)
