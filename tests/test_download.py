"""A network is downloaded once, whole or not at all, and goes on where it was cut short."""

import http.server
import json
import os
import threading
import urllib.parse

import pytest

from formats import download

CONTENT = b'\x80\x04' + bytes(range(256)) * 800  # 204,802 bytes: several chunks
QUOTA_PAGE = b'<!DOCTYPE html><html><head><title>Google Drive -\n Quota exceeded</title></head>'
FORM_PAGE = b'''<!DOCTYPE html><html><head><title>Google Drive - Virus scan warning</title></head>
<body><form id="download-form" action="/download" method="get">
<input type="submit" value="Download anyway"/>
<input type="hidden" name="id" value="ID"><input type="hidden" name="confirm" value="t">
<input type="hidden" name="uuid" value="u-1"></form></body></html>'''
LINK_PAGE = (b'<html><body><a href="/uc?export=download&amp;confirm=xYz&amp;id=ID">anyway</a>'
             b'</body></html>')


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers as the server's `answers` say: {path: function(handler)}."""
    protocol_version = 'HTTP/1.0'

    def do_GET(self):
        path = urllib.parse.urlsplit(self.path).path
        self.server.requests.append((self.path, dict(self.headers)))
        self.server.answers[path](self)

    def log_message(self, *args):
        pass

    def query(self):
        return dict(urllib.parse.parse_qsl(urllib.parse.urlsplit(self.path).query))

    def send(self, body, status=200, announced=None, **headers):
        self.send_response(status)
        self.send_header('Content-Length', str(len(body) if announced is None else announced))
        for name, value in headers.items():
            self.send_header(name.replace('_', '-'), value)
        self.end_headers()
        self.wfile.write(body)


def whole(handler):
    handler.send(CONTENT)


def in_ranges(most, etag='"one"', content=CONTENT):
    """Serves at most `most` bytes at a time; honours Range where If-Range names the version."""
    def answer(handler):
        asked = handler.headers.get('Range')
        if asked and handler.headers.get('If-Range') == etag:
            start = int(asked[len('bytes='):-1])
            handler.send(content[start:start + most], 206, len(content) - start, ETag=etag,
                         Content_Range=f'bytes {start}-{len(content) - 1}/{len(content)}')
        else:
            handler.send(content[:most], announced=len(content), ETag=etag)
    return answer


@pytest.fixture
def server(monkeypatch):
    """A server on loopback, `.url` its address; `.answers` and `.requests` are the test's."""
    monkeypatch.setenv('no_proxy', '127.0.0.1')
    with http.server.ThreadingHTTPServer(('127.0.0.1', 0), Handler) as running:
        running.answers, running.requests = {}, []
        running.url = f'http://127.0.0.1:{running.server_port}'
        monkeypatch.setattr(download, 'DRIVE_URL', f'{running.url}/uc')
        thread = threading.Thread(target=running.serve_forever, args=[0.01], daemon=True)
        thread.start()
        yield running
        running.shutdown()
        thread.join()


def content_of(path):
    with open(path, 'rb') as file:
        return file.read()


def test_a_url_is_downloaded_once_and_leaves_nothing_aside(server, tmp_path):
    server.answers['/a/net.pkl'] = whole
    path = download.local_path(f'{server.url}/a/net.pkl', cache_dir=tmp_path / 'cache')
    assert content_of(path) == CONTENT
    assert os.listdir(tmp_path / 'cache') == [os.path.basename(path)]
    assert path.endswith('-net.pkl')
    assert download.local_path(f'{server.url}/a/net.pkl', cache_dir=tmp_path / 'cache') == path
    assert len(server.requests) == 1


def test_two_urls_of_one_name_are_two_files(server, tmp_path):
    server.answers.update({'/a/net.pkl': whole,
                           '/b/net.pkl': lambda handler: handler.send(b'\x80b')})
    a, b = (download.local_path(f'{server.url}/{part}/net.pkl', tmp_path) for part in 'ab')
    assert content_of(a) == CONTENT and content_of(b) == b'\x80b'


def test_a_redirect_is_followed(server, tmp_path):
    server.answers.update({'/old': lambda handler: handler.send(b'', 302, Location='/new'),
                           '/new': whole})
    assert content_of(download.local_path(f'{server.url}/old', tmp_path)) == CONTENT


def test_a_connection_that_breaks_off_goes_on_by_itself(server, tmp_path):
    server.answers['/net.pkl'] = in_ranges(90_000)
    assert content_of(download.local_path(f'{server.url}/net.pkl', tmp_path)) == CONTENT
    assert [headers.get('Range') for _, headers in server.requests] == [
        None, 'bytes=90000-', 'bytes=180000-']


def test_a_download_cut_short_is_resumed_by_the_next_run(server, tmp_path):
    url = f'{server.url}/net.pkl'
    server.answers['/net.pkl'] = in_ranges(90_000)
    first = server.answers['/net.pkl']

    def then_nothing(handler):
        server.answers['/net.pkl'] = lambda handler: handler.send(b'', 503)
        first(handler)

    server.answers['/net.pkl'] = then_nothing
    with pytest.raises(OSError, match='503'):
        download.local_path(url, tmp_path)
    assert sorted(name.split('-')[1] for name in os.listdir(tmp_path)) == [
        'net.pkl.part', 'net.pkl.part.version']
    server.answers['/net.pkl'] = in_ranges(len(CONTENT))
    assert content_of(download.local_path(url, tmp_path)) == CONTENT
    assert server.requests[-1][1]['Range'] == 'bytes=90000-'


def test_a_file_that_changed_in_between_is_not_mixed(server, tmp_path):
    changed = b'\x80' + bytes(len(CONTENT) - 1)
    first = in_ranges(90_000)

    def then_changed(handler):
        server.answers['/net.pkl'] = in_ranges(len(changed), '"two"', changed)
        first(handler)

    server.answers['/net.pkl'] = then_changed
    assert content_of(download.local_path(f'{server.url}/net.pkl', tmp_path)) == changed


def test_a_server_without_versions_is_begun_anew(server, tmp_path):
    def breaks_off_once(handler):
        server.answers['/net.pkl'] = whole
        handler.send(CONTENT[:90_000], announced=len(CONTENT))

    server.answers['/net.pkl'] = breaks_off_once
    assert content_of(download.local_path(f'{server.url}/net.pkl', tmp_path)) == CONTENT
    assert all('Range' not in headers for _, headers in server.requests)


def test_a_truncated_answer_is_never_taken_for_the_file(server, tmp_path):
    server.answers['/net.pkl'] = lambda handler: handler.send(CONTENT[:1000],
                                                              announced=len(CONTENT))
    with pytest.raises(OSError, match=r'broke off after 1000 of 204802 bytes; the same command'):
        download.local_path(f'{server.url}/net.pkl', tmp_path)
    assert all('.part' in name for name in os.listdir(tmp_path))
    assert len(server.requests) == 2


def test_a_part_longer_than_the_file_is_dropped(server, tmp_path):
    url = f'{server.url}/net.pkl'
    part = tmp_path / (download._file_name(url) + '.part')
    part.write_bytes(CONTENT + b'more')
    (tmp_path / (part.name + '.version')).write_text('"one"')

    def answer(handler):
        if 'Range' in handler.headers:
            handler.send(b'', 416, Content_Range=f'bytes */{len(CONTENT)}')
        else:
            whole(handler)

    server.answers['/net.pkl'] = answer
    assert content_of(download.local_path(url, tmp_path)) == CONTENT


def test_another_range_than_asked_for_is_refused(server, tmp_path):
    first = in_ranges(90_000)

    def then_wrong(handler):
        server.answers['/net.pkl'] = lambda handler: handler.send(
            CONTENT, 206, Content_Range=f'bytes 0-{len(CONTENT) - 1}/{len(CONTENT)}')
        first(handler)

    server.answers['/net.pkl'] = then_wrong
    with pytest.raises(OSError, match='another range than asked for'):
        download.local_path(f'{server.url}/net.pkl', tmp_path)


def test_a_web_page_is_never_taken_for_a_network(server, tmp_path):
    server.answers['/net.pkl'] = lambda handler: handler.send(QUOTA_PAGE)
    with pytest.raises(OSError) as error:
        download.local_path(f'{server.url}/net.pkl', tmp_path)
    message = str(error.value)
    assert "a web page came in its place, 'Google Drive - Quota exceeded'" in message
    assert f'put it at {tmp_path}' in message and '\n' not in message
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize('name', sorted(download.PUBLISHED))
def test_a_short_name_is_asked_of_the_drive_by_its_id(name, server, tmp_path):
    published = download.PUBLISHED[name]
    server.answers['/uc'] = lambda handler: handler.send(json.dumps(handler.query()).encode())
    path = download.local_path(name, tmp_path)
    assert path == str(tmp_path / published.file_name)
    assert json.loads(content_of(path)) == {'id': published.drive_id}


def test_the_drives_form_is_answered_with_its_hidden_fields(server, tmp_path):
    server.answers['/uc'] = lambda handler: handler.send(FORM_PAGE, Content_Type='text/html')
    server.answers['/download'] = lambda handler: handler.send(
        CONTENT if handler.query() == {'id': 'ID', 'confirm': 't', 'uuid': 'u-1'} else QUOTA_PAGE)
    assert content_of(download.local_path('ffhq', tmp_path)) == CONTENT


def test_the_drives_link_is_followed(server, tmp_path):
    server.answers['/uc'] = lambda handler: handler.send(
        CONTENT if handler.query().get('confirm') == 'xYz' else LINK_PAGE)
    assert content_of(download.local_path('ffhq', tmp_path)) == CONTENT


def test_the_drives_cookie_is_sent_back_as_confirmation(server, tmp_path):
    def answer(handler):
        if handler.query().get('confirm') == 'abc' and 'abc' in handler.headers.get('Cookie', ''):
            whole(handler)
        else:
            handler.send(b'<html></html>', Set_Cookie='download_warning_1=abc; path=/')

    server.answers['/uc'] = answer
    assert content_of(download.local_path('ffhq', tmp_path)) == CONTENT


def test_a_question_asked_for_ever_ends(server, tmp_path):
    server.answers['/uc'] = server.answers['/download'] = lambda handler: handler.send(FORM_PAGE)
    with pytest.raises(OSError, match='Virus scan warning'):
        download.local_path('ffhq', tmp_path)


def test_a_resumed_drive_download_is_confirmed_again(server, tmp_path):
    server.answers['/uc'] = lambda handler: handler.send(FORM_PAGE)
    server.answers['/download'] = in_ranges(150_000)
    assert content_of(download.local_path('cats', tmp_path)) == CONTENT


@pytest.mark.parametrize('url', [
    'https://drive.google.com/uc?id=1MEGjdvVpUsu1jB4zrXZN7Y4kBBOzizDQ',
    'https://drive.google.com/file/d/1MEGjdvVpUsu1jB4zrXZN7Y4kBBOzizDQ/view?usp=sharing',
    'https://drive.google.com/open?id=1MEGjdvVpUsu1jB4zrXZN7Y4kBBOzizDQ'])
def test_addresses_that_people_copy_from_the_drive_work(url, server, tmp_path):
    server.answers['/uc'] = whole
    path = download.local_path(url, tmp_path)
    assert path == str(tmp_path / 'karras2019stylegan-ffhq-1024x1024.pkl')
    assert server.requests[0][0] == '/uc?export=download&id=1MEGjdvVpUsu1jB4zrXZN7Y4kBBOzizDQ'


def test_offline_one_line_says_what_to_put_where(server, tmp_path, monkeypatch):
    monkeypatch.setattr(download, 'DRIVE_URL', 'http://127.0.0.1:9/uc')  # nobody listens there
    with pytest.raises(OSError) as error:
        download.local_path('ffhq', tmp_path / 'new')
    message = str(error.value)
    assert '\n' not in message and 'Connection refused' in message
    assert '?id=1MEGjdvVpUsu1jB4zrXZN7Y4kBBOzizDQ' in message
    assert f'put it at {tmp_path}/new/karras2019stylegan-ffhq-1024x1024.pkl' in message


def test_a_file_put_there_by_hand_is_taken(tmp_path):
    (tmp_path / 'karras2019stylegan-cats-256x256.pkl').write_bytes(b'x')
    assert download.local_path('cats', tmp_path) == str(
        tmp_path / 'karras2019stylegan-cats-256x256.pkl')


def test_a_path_is_taken_as_it_is_and_a_folder_does_not_hide_a_short_name(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / 'net.pkl').write_bytes(b'x')
    (tmp_path / 'cats').mkdir()
    (tmp_path / 'cache').mkdir()
    (tmp_path / 'cache/karras2019stylegan-cats-256x256.pkl').write_bytes(b'x')
    assert download.local_path(tmp_path / 'net.pkl') == str(tmp_path / 'net.pkl')
    assert download.local_path('cats', 'cache') == 'cache/karras2019stylegan-cats-256x256.pkl'


@pytest.mark.parametrize('name', ['fhq', 'missing.pkl', 'ftp://host/net.pkl', 'file:///etc/passwd'])
def test_what_is_neither_path_nor_url_nor_short_name_is_told_so(name):
    with pytest.raises(ValueError, match='no such file; a network must be a path, a URL .* ffhq, '):
        download.local_path(name)


def test_the_cache_is_where_flag_variable_or_custom_say(monkeypatch, tmp_path):
    monkeypatch.setenv('HOME', str(tmp_path))
    monkeypatch.delenv('XDG_CACHE_HOME', raising=False)
    monkeypatch.delenv('STYLEGAN_CACHE_DIR', raising=False)
    assert download.cache_directory() == str(tmp_path / '.cache/stylegan-tf2')
    monkeypatch.setenv('XDG_CACHE_HOME', '/xdg')
    assert download.cache_directory() == '/xdg/stylegan-tf2'
    monkeypatch.setenv('STYLEGAN_CACHE_DIR', '/variable')
    assert download.cache_directory() == '/variable'
    assert download.cache_directory('~/flag') == str(tmp_path / 'flag')
