"""Commands on a small disk of their own, which really fills up; nothing of it is left behind."""

import functools
import shutil
import subprocess

import pytest

# In a mount namespace of its own: the disk is gone with the last process that sees it.
SCRIPT = '''
mount -t tmpfs -o size="$1" small-disk "$2" || exit 99
shift
disk="$1" copy="$2"
shift 2
"$@"
code=$?
cp -r "$disk" "$copy"
exit $code
'''


@functools.cache
def _namespace():
    """How a process gets a mount namespace here, or None."""
    for options in ('-rm', '-m'):  # -r: for users who are not root
        command = ['unshare', options, 'sh', '-c', 'mount -t tmpfs small-disk /mnt']
        if shutil.which('unshare') and subprocess.run(command, capture_output=True).returncode == 0:
            return ['unshare', options]
    return None


def run_on_small_disk(size, mount_point, copy, command, **options):
    """subprocess.run of `command` with a disk of `size` ('1m') on the empty folder `mount_point`.

    What is on the disk at the end is in `copy`.
    """
    if _namespace() is None:
        pytest.skip('a small disk cannot be mounted here (neither as root nor in a user namespace)')
    mount_point.mkdir()
    return subprocess.run([*_namespace(), 'sh', '-c', SCRIPT, 'sh', size, str(mount_point),
                           str(copy), *map(str, command)], capture_output=True, text=True,
                          **options)
