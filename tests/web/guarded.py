"""Runs a script that may talk to nobody outside this machine; attempts are recorded, and fail.

  guarded.py RECORD SCRIPT [FLAGS]   appends a line to the file RECORD for each attempt
"""

import os
import runpy
import sys

LOOPBACK = {None, '', 'localhost', '127.0.0.1', '::1', b'localhost', b'127.0.0.1', b'::1'}
# Of Python's audit events, those that look up or reach another machine -> the host they name.
HOST_OF = {**dict.fromkeys(('socket.connect', 'socket.sendto', 'socket.sendmsg'),
                           lambda _, address: address),
           **dict.fromkeys(('socket.getaddrinfo', 'socket.gethostbyname'), lambda *args: args)}


def guard(record):
    """Refuses, from now on, all that leaves this machine."""
    def hook(event, args):
        if event not in HOST_OF:
            return
        place = HOST_OF[event](*args)
        if isinstance(place, tuple) and place and place[0] not in LOOPBACK:
            with open(record, 'a') as file:
                file.write(f'{event} {place}\n')
            raise PermissionError(f'{event} {place}: not in this test')

    sys.addaudithook(hook)


if __name__ == '__main__':
    _, record, script, *flags = sys.argv
    sys.argv = [script, *flags]
    sys.path.insert(0, os.path.dirname(os.path.abspath(script)))
    guard(record)
    runpy.run_path(script, run_name='__main__')
