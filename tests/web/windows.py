"""The explorer and a real browser for tests: starting both, reading pixels, downloading."""

import contextlib
import io
import pathlib
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.parse
import zipfile

import numpy as np
import PIL.Image

ROOT = pathlib.Path(__file__).resolve().parents[2]
NETWORK = ROOT / 'tests/parity/digits/network-final.pkl'
BROWSERS = ('chromium', 'chromium-browser', 'google-chrome')
QUIET = ['--no-sandbox', '--disable-gpu', '--disable-quic', '--no-first-run', '--disable-sync',
         '--disable-background-networking', '--disable-component-update']
PATIENCE = 30   # seconds, for what takes one or less


def until(attempt, what):
    """The first result of `attempt` that is not None; an error after PATIENCE."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end:
        result = attempt()
        if result is not None:
            return result
        time.sleep(0.02)
    raise AssertionError(f'in {PATIENCE} seconds: no {what}')


@contextlib.contextmanager
def explorer(record, *flags):
    """(process, address) of an explore.py, guarded as guarded.py says."""
    process = subprocess.Popen(
        [sys.executable, str(ROOT / 'tests/web/guarded.py'), str(record), 'explore.py', '--port=0',
         *flags], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline()
        assert line.startswith('http://127.0.0.1:'), line
        yield process, line.split()[0]
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(PATIENCE)


@contextlib.contextmanager
def chromium():
    """Playwright's browser, of the machine's own Chromium or Chrome."""
    from playwright.sync_api import sync_playwright
    path = next(filter(None, map(shutil.which, BROWSERS)), None)
    assert path, f'no browser here: none of {", ".join(BROWSERS)}; make test-web installs one'
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        try:
            yield browser
        finally:
            browser.close()


class Window:
    """A window of the page, with cookies and a session of its own.

    Attributes:
        outside: requests to others than the page's own address; they have failed.
        joins: times of requests for work.
        complaints: errors on the browser's console.
    """

    def __init__(self, browser, address, height=1000):
        self.address, self.outside, self.joins, self.complaints = address, [], [], []
        self.context = browser.new_context(viewport={'width': 1280, 'height': height},
                                           accept_downloads=True)
        self.context.route('**/*', self._route)
        self.page = self.context.new_page()
        self.page.on('console', lambda message: message.type == 'error' and self.complaints.append(
            message.text))
        self.page.on('pageerror', lambda error: self.complaints.append(str(error)))
        self.page.on('websocket', lambda socket: self.outside.append(socket.url))
        self.page.goto(address)

    def _route(self, route):
        url = route.request.url
        if url.startswith(self.address) or urllib.parse.urlsplit(url).scheme in ('data', 'blob'):
            if 'queue/join' in url:
                self.joins.append(time.monotonic())
            route.continue_()
        else:
            self.outside.append(url)
            route.abort()

    def tab(self, name):
        self.page.get_by_role('tab', name=name).click()

    def click(self, name):
        """The button of this name on the tab that is seen."""
        buttons = self.page.get_by_role('button', name=name, exact=True)
        buttons.filter(visible=True).first.click()

    def type(self, selector, value):
        """A number into the field of a component."""
        field = self.page.locator(f'{selector} input[type=number]').first
        field.fill(str(value))
        field.press('Enter')

    def words(self, selector):
        return self.page.locator(selector).inner_text()

    def wait_for_words(self, selector, pattern):
        """The words there, as soon as they match."""
        def attempt():
            words = self.words(selector)
            return words if re.search(pattern, words) else None
        return until(attempt, f'{pattern!r} in {selector}')

    def pixels(self, name):
        """uint8 [H, W] or [H, W, 3] of a picture, as its file has them; None: none is shown."""
        images = self.page.locator(f'#{name} img')
        source = images.first.get_attribute('src') if images.count() else None
        if not source:
            return None
        data = self.page.request.get(urllib.parse.urljoin(self.address, source)).body()
        return np.asarray(PIL.Image.open(io.BytesIO(data)))

    def wait_for_pixels(self, name, expected=None):
        """The pixels of a picture, as soon as there is one, or it is `expected` [H, W, C]."""
        def attempt():
            found = self.pixels(name)
            if found is None or expected is None:
                return found
            return found if np.array_equal(found, np.squeeze(expected)) else None
        return until(attempt, f'such picture in {name}')

    def wait_for_shelf(self, name, count):
        images = self.page.locator(f'#shelf-{name} .thumbnail-item img')
        until(lambda: True if images.count() == count else None, f'{count} pictures on {name}')

    def download(self, folder):
        """Unpacks what the button of the tab downloads into a new folder; its files, sorted."""
        with self.page.expect_download() as download:
            self.click('Download: PNG, w and command')
        path = folder / download.value.suggested_filename
        download.value.save_as(path)
        with zipfile.ZipFile(path) as file:
            file.extractall(path.with_suffix(''))
        return path.with_suffix('')

    def close(self):
        self.context.close()
