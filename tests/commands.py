"""Runs many command lines of one script in one process: importing TensorFlow costs seconds.

`results_of('train', [argv, ...])` -> [(exit code, stdout, stderr), ...].
"""

import contextlib
import importlib
import io
import json
import os
import pathlib
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]


def results_of(script, command_lines, **environment):
    """What each command line of SCRIPT.py gave, in order; environment: what is to differ in it."""
    process = subprocess.run([sys.executable, __file__, script], input=json.dumps(command_lines),
                             capture_output=True, text=True, cwd=ROOT,
                             env={**os.environ, **environment})
    assert process.returncode == 0, process.stderr
    return json.loads(process.stdout)


def offline_results_of(script, folder, cases):
    """{case: what its command line gave} of {case: flags}, each with an --outdir of its name.

    All folders are below `folder`, the cache too; nothing can be downloaded.
    """
    nowhere = dict.fromkeys(('http_proxy', 'https_proxy'), 'http://127.0.0.1:9')
    results = results_of(script, [[f'--outdir={folder / case}', *line]
                                  for case, line in cases.items()],
                         STYLEGAN_CACHE_DIR=str(folder / 'cache'), **nowhere)
    return dict(zip(cases, results))


def _serve(script, command_lines):
    sys.path.insert(0, str(ROOT))
    from absl import flags

    from cli import startup
    module = importlib.import_module(script)
    results = []
    for command_line in command_lines:
        sys.argv = [f'{script}.py', *command_line]
        output, errors = io.StringIO(), io.StringIO()
        with contextlib.redirect_stdout(output), contextlib.redirect_stderr(errors):
            for name in flags.FLAGS:
                flags.FLAGS[name].unparse()
            try:
                argv = startup.with_underscores(sys.argv)
                if hasattr(module, 'command_line'):
                    code = startup.exit_code(module.main,
                                             module.command_line().parse_args(argv[1:]))
                else:
                    code = startup.exit_code(module.main, flags.FLAGS(argv))
            except flags.Error as error:  # absl prints it and exits with 1
                print(error, file=errors)
                code = 1
            except SystemExit as stop:  # argparse has printed it
                code = stop.code
        results.append((code, output.getvalue(), errors.getvalue()))
    return results


if __name__ == '__main__':
    print(json.dumps(_serve(sys.argv[1], json.loads(sys.stdin.read()))))
