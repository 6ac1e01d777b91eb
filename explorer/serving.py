"""The web server of the page: where it listens, and what it refuses."""

from __future__ import annotations

import contextlib
import errno
import importlib.metadata
import os
import socket
import sys
import tempfile

REQUIREMENTS = 'requirements-web.txt'
GRADIO_MAJOR = 6          # whose interface the page is written for
OLDEST_PYTHON = (3, 10)   # for which there is such a Gradio
API = '/gradio_api/'
# What the page uses of Gradio's API. The rest is not there; it would fetch URLs for whoever asks.
USED = ('file=/', 'heartbeat/', 'queue/join', 'queue/data', 'upload', 'cancel', 'reset')
QUIET = {'GRADIO_ANALYTICS_ENABLED': 'False', 'GRADIO_SSR_MODE': 'False',
         'GRADIO_RUN_HISTORY': 'False', 'HF_HUB_OFFLINE': '1', 'HF_HUB_DISABLE_TELEMETRY': '1'}
SECONDS_TO_END = 1        # for what is being sent at Ctrl-C


def check_gradio():
    """ValueError, with the command that installs it, where Gradio is missing or another version."""
    try:
        version = importlib.metadata.version('gradio')
    except importlib.metadata.PackageNotFoundError:
        version = None
    if version and int(version.partition('.')[0]) == GRADIO_MAJOR:
        return
    found = f'is version {version} here' if version else 'is not installed'
    command = f'{sys.executable} -m pip install -r {REQUIREMENTS}'
    if sys.version_info[:2] < OLDEST_PYTHON:
        oldest = '.'.join(map(str, OLDEST_PYTHON))
        command = f'{command}, with Python {oldest} or newer (this one is older)'
    raise ValueError(f'the page needs Gradio {GRADIO_MAJOR}, which {found}; install it: {command}')


def _why_not(host, port, error):
    """The words for an address at which nobody can listen."""
    if getattr(error, 'errno', None) in (errno.EADDRINUSE, errno.EACCES, errno.EPERM):
        return (f'--port={port}: cannot be had on {host} ({error.strerror}); stop what listens '
                'there, or take another, such as '
                f'--port={port + 1 if 1024 <= port < 65535 else 7860}.')
    why = getattr(error, 'strerror', None) or error
    return (f'--host={host}: is no address of this machine ({why}); take 127.0.0.1, or 0.0.0.0 '
            'for all of its addresses.')


def listening(host, port):
    """A socket that listens at an address; port 0 = any that is free. ValueError names the flag."""
    try:
        family, *_, place = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        return socket.create_server(place[:2], family=family)
    except (OSError, UnicodeError) as error:  # the latter: no name of a machine can be like this
        raise ValueError(_why_not(host, port, error)) from error


def address_of(listener):
    """What to type into a browser."""
    host, port = listener.getsockname()[:2]
    host = {'0.0.0.0': '127.0.0.1', '::': '::1'}.get(host, host)
    return f'http://[{host}]:{port}/' if ':' in host else f'http://{host}:{port}/'


def is_loopback(listener):
    host = listener.getsockname()[0]
    return host.startswith('127.') or host == '::1'


@contextlib.contextmanager
def private_folder():
    """A folder for the files of the page, which ends with it; Gradio is told to stay in there.

    To be entered before Gradio is imported: it reads the environment then.
    """
    with tempfile.TemporaryDirectory(prefix='explorer-') as folder:
        os.environ.update(QUIET, GRADIO_TEMP_DIR=folder, GRADIO_EXAMPLES_CACHE=folder)
        yield folder


class OnlyUsed:
    """An ASGI application without those parts of Gradio's API that the page does not use."""

    def __init__(self, app):
        self.app = app

    async def __call__(self, scope, receive, send):
        path = scope.get('path', '')
        if path.startswith(API) and not path[len(API):].startswith(USED):
            await send({'type': 'http.response.start', 'status': 404, 'headers': []})
            await send({'type': 'http.response.body', 'body': b''})
        else:
            await self.app(scope, receive, send)


def serve(app, listener):
    """Answers at a socket of `listening` until Ctrl-C."""
    import uvicorn
    config = uvicorn.Config(OnlyUsed(app), log_level='warning', access_log=False,
                            timeout_graceful_shutdown=SECONDS_TO_END)
    with contextlib.suppress(KeyboardInterrupt):
        uvicorn.Server(config).run(sockets=[listener])
