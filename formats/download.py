"""`--network=`: a path, a URL or a short name -> a local file, downloaded once and kept.

Written with urllib: redirects, cookies, proxies and ranges are all that is needed, and it takes no
dependency. A download is written to `FILE.part` and renamed when it is whole; one that was cut
short goes on from there, provided that the server says the file is still the same.
"""

from __future__ import annotations

import hashlib
import html.parser
import http.client
import os
import re
import urllib.error
import urllib.parse
import urllib.request
from typing import NamedTuple

import tqdm

from formats import file_kind

CACHE_VARIABLE = 'STYLEGAN_CACHE_DIR'
DRIVE_URL = 'https://drive.google.com/uc'
DRIVE_HOSTS = ('drive.google.com', 'docs.google.com', 'drive.usercontent.google.com')
TIMEOUT_SECONDS = 30
CHUNK_BYTES = 2 ** 16
MAX_PAGE_BYTES = 2 ** 20       # of a web page that came in place of the file
MAX_QUESTIONS = 3              # of Google Drive, one after the other
PARTIAL, UNSATISFIABLE = 206, 416  # HTTP's answers to a range


class Published(NamedTuple):
    """A network that the reference's authors published."""
    file_name: str
    drive_id: str


PUBLISHED = {
    'ffhq': Published('karras2019stylegan-ffhq-1024x1024.pkl',
                      '1MEGjdvVpUsu1jB4zrXZN7Y4kBBOzizDQ'),
    'celebahq': Published('karras2019stylegan-celebahq-1024x1024.pkl',
                          '1MGqJl28pN4t7SAtSrPdSRJSQJqahkzUf'),
    'bedrooms': Published('karras2019stylegan-bedrooms-256x256.pkl',
                          '1MOSKeGF0FJcivpBI7s63V9YHloUTORiF'),
    'cars': Published('karras2019stylegan-cars-512x384.pkl', '1MJ6iCfNtMIRicihwRorsM3b7mmtmK9c3'),
    'cats': Published('karras2019stylegan-cats-256x256.pkl', '1MQywl0FNt6lHu8E_EUqnRbviagS7fbiJ'),
}
PUBLISHED_LICENCE = ('CC BY-NC 4.0, NVIDIA Corporation: free for non-commercial use with '
                     'attribution')
UNKNOWN_LICENCE = 'not stated in the file; that of whoever trained the network'


def licence_of(path):
    """The licence of a network file that states none; it is known of those in PUBLISHED."""
    published = {entry.file_name for entry in PUBLISHED.values()}
    return PUBLISHED_LICENCE if os.path.basename(path) in published else UNKNOWN_LICENCE


def cache_directory(cache_dir=None):
    """Where downloads are kept: `cache_dir`, $STYLEGAN_CACHE_DIR or ~/.cache/stylegan-tf2."""
    chosen = cache_dir or os.environ.get(CACHE_VARIABLE)
    if not chosen:
        base = os.environ.get('XDG_CACHE_HOME') or os.path.join('~', '.cache')
        chosen = os.path.join(base, 'stylegan-tf2')
    return os.path.expanduser(chosen)


def _drive_id(url):
    """The file's id in one of Google Drive's addresses; None for other addresses."""
    parts = urllib.parse.urlsplit(url)
    if parts.hostname not in DRIVE_HOSTS:
        return None
    in_path = re.search(r'/d/([\w-]+)', parts.path)
    return in_path.group(1) if in_path else urllib.parse.parse_qs(parts.query).get('id', [None])[0]


def _file_name(url):
    """A name for the download of `url` that no other address has."""
    drive_id = _drive_id(url)
    for published in PUBLISHED.values():
        if published.drive_id == drive_id:
            return published.file_name
    if drive_id:
        return f'drive-{drive_id}.pkl'
    name = re.sub(r'[^\w.-]', '_', os.path.basename(urllib.parse.urlsplit(url).path)) or 'network'
    return f'{hashlib.sha256(url.encode()).hexdigest()[:12]}-{name[-100:]}'


def cached_path(url, cache_dir=None):
    """Where the file at `url` is kept once it is downloaded."""
    return os.path.join(cache_directory(cache_dir), _file_name(url))


def local_path(network, cache_dir=None):
    """A local file for a `--network`: a path, a URL or one of the names in PUBLISHED.

    Downloads what is not in the cache yet. ValueError for what is none of the three; OSError where
    the download fails, with what to put where by hand.
    """
    network = os.fspath(network)
    if os.path.isfile(network) or (os.path.exists(network) and network not in PUBLISHED):
        return network
    if network in PUBLISHED:
        url = f'{DRIVE_URL}?id={PUBLISHED[network].drive_id}'
        target = os.path.join(cache_directory(cache_dir), PUBLISHED[network].file_name)
    elif re.match('https?://', network):
        url, target = network, cached_path(network, cache_dir)
    else:
        raise ValueError(f'{network}: no such file; a network must be a path, a URL (https://...) '
                         f'or one of {", ".join(PUBLISHED)}.')
    if not os.path.exists(target):
        fetch(url, target)
    return target


class _Page(html.parser.HTMLParser):
    """What a web page says: its title, its links, and its forms with their hidden fields."""

    def __init__(self, text):
        super().__init__()
        self.title, self.links, self.forms = '', [], []
        self.in_title = False
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        attributes = {name: value or '' for name, value in attrs}
        self.in_title = tag == 'title'
        if tag == 'a':
            self.links.append(attributes.get('href', ''))
        elif tag == 'form':
            self.forms.append((attributes.get('action', ''), {}))
        elif tag == 'input' and self.forms and attributes.get('name'):
            self.forms[-1][1][attributes['name']] = attributes.get('value', '')

    def handle_endtag(self, tag):
        self.in_title = self.in_title and tag != 'title'

    def handle_data(self, data):
        if self.in_title:
            self.title += data


def _with_query(url, **fields):
    """`url` with these fields of its query set."""
    parts = urllib.parse.urlsplit(url)
    query = dict(urllib.parse.parse_qsl(parts.query), **fields)
    return parts._replace(query=urllib.parse.urlencode(query)).geturl()


def _confirmed(url, page, cookies):
    """The address behind Google Drive's "can't scan this file for viruses"; None on other pages.

    Drive has asked in three ways over the years: a form with hidden fields, a link, a cookie.
    """
    for action, fields in page.forms:
        if 'confirm' in fields:
            return _with_query(urllib.parse.urljoin(url, action), **fields)
    for link in page.links:
        if 'confirm' in urllib.parse.parse_qs(urllib.parse.urlsplit(link).query):
            return urllib.parse.urljoin(url, link)
    for cookie in cookies:
        if cookie.name.startswith('download_warning'):
            return _with_query(url, confirm=cookie.value)
    return None


class _Session:
    """Requests with the cookies of one download."""

    def __init__(self):
        self.cookies = urllib.request.HTTPCookieProcessor()
        self.opener = urllib.request.build_opener(self.cookies)

    def open(self, url, headers):
        """(answer, its first bytes) for the file itself, past the questions of Google Drive."""
        for _ in range(MAX_QUESTIONS):
            request = urllib.request.Request(url, headers={'User-Agent': 'stylegan-tf2', **headers})
            answer = self.opener.open(request, timeout=TIMEOUT_SECONDS)
            head = answer.read(CHUNK_BYTES)
            if answer.status == PARTIAL or not file_kind.is_html(head):
                return answer, head
            with answer:
                text = (head + answer.read(MAX_PAGE_BYTES)).decode('utf-8', 'replace')
            page = _Page(text)
            url = _confirmed(answer.geturl(), page, self.cookies.cookiejar)
            if url is None:
                break
        title = ' '.join(page.title.split())[:80]
        raise OSError(f'a web page came in its place, {title!r}')


def _size(path):
    return os.path.getsize(path) if os.path.exists(path) else 0


def _read_text(path):
    if not os.path.exists(path):
        return ''
    with open(path, encoding='utf-8') as file:
        return file.read()


def _version(answer):
    """What the server calls this version of the file, fit for If-Range; '' where it has no word."""
    tag = answer.headers.get('ETag', '')
    if tag and not tag.startswith('W/'):
        return tag
    return answer.headers.get('Last-Modified', '')


def _total(answer):
    """Bytes of the whole file; None where the server does not say."""
    if answer.status == PARTIAL:
        total = re.fullmatch(r'bytes \d+-\d+/(\d+)', answer.headers.get('Content-Range', ''))
        return int(total.group(1)) if total else None
    length = answer.headers.get('Content-Length')
    return int(length) if length else None


def _fetch_rest(session, url, part):
    """Adds to the file `part` what an answer brings; returns the bytes of the whole file, or None.

    `part`.version holds the server's name for the version that the part is of.
    """
    have, version = _size(part), _read_text(f'{part}.version')
    headers = {'Range': f'bytes={have}-', 'If-Range': version} if have and version else {}
    answer, data = session.open(url, headers)
    with answer:
        resumes = answer.status == PARTIAL and answer.headers.get(
            'Content-Range', '').startswith(f'bytes {have}-')
        if answer.status == PARTIAL and not resumes:
            raise OSError(f'the server sent another range than asked for, '
                          f'{answer.headers.get("Content-Range")!r:.80}')
        if not resumes:
            have = 0
            with open(f'{part}.version', 'w', encoding='utf-8') as file:
                file.write(_version(answer))
        total = _total(answer)
        with open(part, 'ab' if resumes else 'wb') as file, tqdm.tqdm(
                total=total, initial=have, unit='B', unit_scale=True,
                desc=os.path.basename(part)[:-len('.part')]) as progress:
            while data:
                file.write(data)
                progress.update(len(data))
                data = answer.read(CHUNK_BYTES)
    return total


def _fetch_all(url, part):
    """Downloads to the file `part`, resuming as long as each attempt brings more of it."""
    session = _Session()
    while True:
        before = _size(part)
        try:
            total = _fetch_rest(session, url, part)
        except urllib.error.HTTPError as error:
            if error.code != UNSATISFIABLE or not before:
                raise
            os.remove(part)  # longer than the file itself: of no use
            continue
        if total is None or _size(part) == total:
            return
        if _size(part) <= before:
            raise OSError(f'the connection broke off after {_size(part)} of {total} bytes; the '
                          'same command goes on from there')


def fetch(url, target):
    """Downloads `url` to the file `target`; OSError says why not, and what to do by hand."""
    part = f'{target}.part'
    os.makedirs(os.path.dirname(target), exist_ok=True)
    drive_id = _drive_id(url)
    address = f'{DRIVE_URL}?export=download&id={drive_id}' if drive_id else url
    try:
        _fetch_all(address, part)
    except (OSError, http.client.HTTPException) as error:
        reason = ' '.join(str(getattr(error, 'reason', None) or error).split())
        code = f'{error.code} ' if isinstance(error, urllib.error.HTTPError) else ''
        raise OSError(f'{url}: cannot be downloaded ({code}{reason}). Get it by hand, in a browser '
                      f'say, and put it at {target}') from error
    os.replace(part, target)
    if os.path.exists(f'{part}.version'):
        os.remove(f'{part}.version')
