"""Takes the pictures of docs/explorer.md: each tab, with something in it.

    python tests/web/screenshots.py --outdir=results [--images=docs/images]

outdir: with a run to be seen. Wants what make test-web installs.
"""

import argparse
import pathlib
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import PIL.Image  # noqa: E402
import sklearn.datasets  # noqa: E402
from windows import NETWORK, ROOT, Window, chromium, explorer  # noqa: E402

SHELVES = {7: 'A', 12: 'A', 25: 'A', 36: 'B', 40: 'B', 3: 'B'}   # {seed: its shelf}
DIGIT, SIDE = 88, 320   # which handwritten digit is projected; pixels of the photo of it


def fill_shelves(window):
    for number, shelf in SHELVES.items():
        window.type('#seed', number)
        window.wait_for_words('#seeds-command', f'--seeds={number} ')
        window.click(f'Keep on shelf {shelf}')
        window.wait_for_shelf(shelf, list(SHELVES.values())[:list(SHELVES).index(number) + 1]
                              .count(shelf))


def project(window, folder):
    digit = PIL.Image.fromarray((sklearn.datasets.load_digits().images[DIGIT] * 15.9).astype('u1'))
    digit.resize([SIDE, SIDE], PIL.Image.BICUBIC).save(folder / 'photo.png')
    window.page.set_input_files('#target input[type=file]', folder / 'photo.png')
    window.wait_for_pixels('aim-image')
    window.click('Project')
    window.wait_for_words('#project-words', '^Done')


def visit(window, folder):
    """Yields the name of each tab, when it has something to show."""
    fill_shelves(window)
    yield 'seeds'
    window.tab('Mix')
    window.page.get_by_label('4x4', exact=True).uncheck()
    window.wait_for_words('#mix-command', '--styles=8x8$')
    yield 'mix'
    window.tab('Walk')
    window.click('Draw the strip')
    window.wait_for_pixels('walk-image')
    window.click('Make the film')
    window.page.wait_for_function(
        "() => document.querySelector('#walk-film video')?.readyState >= 2")
    yield 'walk'
    window.tab('Directions')
    window.wait_for_pixels('directions-image')
    window.type('#direction-2', 2)
    window.type('#direction-5', -3)
    window.wait_for_words('#directions-command', 'moved.npz')
    yield 'directions'
    window.tab('Project')
    project(window, folder)
    yield 'project'
    window.tab('Runs')
    window.wait_for_pixels('curves-image')
    yield 'runs'


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--outdir', default='results')
    parser.add_argument('--images', type=pathlib.Path, default=ROOT / 'docs/images')
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        folder = pathlib.Path(folder)
        with explorer(folder / 'record', f'--network={NETWORK.relative_to(ROOT)}',
                      f'--outdir={args.outdir}') as (_, address):
            window = Window(browser, address, height=700)
            window.wait_for_pixels('seeds-image')
            for name in visit(window, folder):
                window.page.mouse.move(0, 0)
                window.page.wait_for_timeout(1000)   # for what fades
                window.page.screenshot(path=args.images / f'explorer-{name}.png', full_page=True)
            window.close()


if __name__ == '__main__':
    main()
