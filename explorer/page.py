"""The page in the browser: what stands where, and which function answers which control."""

from __future__ import annotations

import asyncio
import functools
import inspect
import os
import secrets
from typing import NamedTuple

import fastapi
import gradio as gr
from gradio_client.utils import is_http_url_like

from editing.projection import SPACES, Options
from explorer import mixing, moving, projecting, seeds, trainings, walking
from explorer.picture import archive
from formats.png import pillow
from pictures.latents import MAX_SEED

TITLE = 'StyleGAN explorer'
SHELF = 6                    # pictures that a shelf holds
LARGE, LOW, WIDE = 512, 130, 340   # pixels: height of a picture, of a shelf, of a strip
SHARP = 256                  # pixels; smaller images are enlarged with sharp edges
FILES_SECONDS = 60, 1800     # between two looks for old files; age at which they go
RUNS_SECONDS = 5             # between two looks at a run
STAY_SECONDS = 2             # within which a closed window is noticed
MAX_UPLOAD = '64mb'
FONT, MONO_FONT = ('system-ui', 'sans-serif'), ('ui-monospace', 'monospace')
CSS = '''
.drawn img { object-fit: contain !important; width: 100% !important; height: 100% !important; }
.sharp img { image-rendering: pixelated; }
.unseen, .command .cm-gutters { display: none !important; }
.shelf .caption-label { font-size: 10px; padding: 0 4px; inset: auto 0 0 auto; border: 0; }
'''
RANDOM_SEED = '() => Math.floor(Math.random() * 10000)'
DOWNLOAD = '''(file) => {
    const link = document.createElement('a');
    link.href = file.url; link.download = file.orig_name;
    document.body.append(link); link.click(); link.remove();
}'''
IN_SEEDS, IN_PROJECT = 'the picture in Seeds', 'the picture in Project'
WALKS = 'Shelf A', 'Shelf B', 'A, then B'
PRIVATE = {'api_visibility': 'private'}
DRAWING = {**PRIVATE, 'concurrency_id': 'drawing', 'concurrency_limit': 2}
LIVE = {**DRAWING, 'show_progress': 'hidden',
        'trigger_mode': 'always_last'}   # of what is asked meanwhile, the last is drawn alone


def told(function):
    """`function`, whose ValueErrors and OSErrors become messages in the page."""
    def said(error):
        return gr.Error(str(error), print_exception=False)

    @functools.wraps(function)
    def call(*args):
        try:
            return function(*args)
        except (ValueError, OSError) as error:
            raise said(error) from error

    @functools.wraps(function)
    def generate(*args):
        try:
            yield from function(*args)
        except (ValueError, OSError) as error:
            raise said(error) from error

    return generate if inspect.isgeneratorfunction(function) else call


async def stay():
    """A task of each window that goes on until it is closed: so its stream of messages stays open.

    Gradio's client misses the answer to what is asked while an idle stream is being closed; the
    page would wait for it until something else is asked. The task ends at a yield.
    """
    while True:
        yield
        await asyncio.sleep(STAY_SECONDS)


def only_uploads(component):
    """A gr.File that takes nothing but uploads: it would also fetch a URL that somebody sends."""
    move = component.async_move_resource_to_block_cache

    async def move_upload(path):
        if is_http_url_like(path):
            raise gr.Error('Upload a file, not a URL.', print_exception=False)
        return await move(path)

    component.async_move_resource_to_block_cache = move_upload
    return component


class Shown(NamedTuple):
    """The components that show a picture."""
    image: gr.Image
    command: gr.Code
    current: gr.State   # the Picture, None = none yet
    box: gr.Column      # in which all of it is, hidden until there is one


def shown(picture):
    """What the components of a Shown take."""
    return pillow(picture.image), picture.command, picture, gr.Column(visible=True)


class Shelf(NamedTuple):
    """The components of a shelf."""
    name: str
    items: gr.State     # tuple of Pictures
    gallery: gr.Gallery
    picked: gr.State    # number of the one that was clicked; None = none


def gallery_of(items):
    """The gallery of a shelf with these items; an empty one is not seen."""
    return gr.Gallery([(pillow(item.image), item.name) for item in items], visible=bool(items))


def kept(items, current):
    """(items, gallery) with one more."""
    if current is None:
        raise ValueError('There is no picture to keep yet.')
    if len(items) == SHELF:
        raise ValueError(f'The shelf is full: it holds {SHELF} pictures. Remove one first.')
    items = (*items, current)
    return items, gallery_of(items)


def removed(items, picked):
    """(items, gallery, picked) without the one that was clicked."""
    if picked is None or picked >= len(items):
        raise ValueError('Click the picture that is to go first.')
    items = items[:picked] + items[picked + 1:]
    return items, gallery_of(items), None


def starts(in_seeds, in_project, a, b):
    """{words: Picture} of all that the tab Directions can start from."""
    found = {IN_SEEDS: in_seeds, IN_PROJECT: in_project}
    for name, items in zip('AB', (a, b)):
        found.update({f'{name}{number}: {item.name}': item for number, item in enumerate(items, 1)})
    return {words: picture for words, picture in found.items() if picture is not None}


def new_starts(chosen, in_seeds, in_project, a, b):
    """The dropdown of `starts`, which keeps what is chosen as long as it is there."""
    words = list(starts(in_seeds, in_project, a, b))
    return gr.Dropdown(words, value=chosen if chosen in words else words[0])


def of_walk(which, a, b):
    """The Pictures that one of WALKS means."""
    return {WALKS[0]: a, WALKS[1]: b}.get(which, (*a, *b))


class Page:
    """Builds the page.

    Args:
        studio: studio.Studio.
        distance: one of editing.distances, of projections.
        outdir: where runs are looked for.
        folder: where files are written that the browser fetches.
    """

    def __init__(self, studio, distance, outdir, folder):
        self.studio, self.distance, self.outdir, self.folder = studio, distance, outdir, folder
        self.look = ['drawn', 'sharp'] if studio.sampler.resolution < SHARP else ['drawn']

    def blocks(self, network):
        """The gr.Blocks of all tabs; network: what it is called in the heading."""
        sampler = self.studio.sampler
        with gr.Blocks(title=TITLE, analytics_enabled=False, delete_cache=FILES_SECONDS,
                       fill_width=True) as self.root:
            gr.Markdown(f'### {network} · {sampler.resolution}x{sampler.resolution}')
            self.shelves = [Shelf(name, gr.State(()), gr.Gallery(
                show_label=False, columns=SHELF, height=LOW, format='png', buttons=[],
                allow_preview=False, object_fit='contain', interactive=False, render=False,
                fit_columns=False, visible=False, elem_id=f'shelf-{name}',
                elem_classes=['shelf', *self.look]), gr.State()) for name in 'AB']
            self.in_project = gr.State()
            with gr.Tabs():
                self.in_seeds = self._seeds()
                if sampler.num_layers:
                    self._mix()
                self._walk()
                if self.studio.moves:
                    self._directions()
                self._project()
                self._runs()
            with gr.Row():
                for shelf in self.shelves:
                    self._show_shelf(shelf)
            self.root.load(stay, show_progress='hidden', concurrency_limit=None, **PRIVATE)
        return self.root

    def path(self, name):
        """A path for a new file, in a folder that nobody can guess."""
        folder = os.path.join(self.folder, secrets.token_hex(16))
        os.mkdir(folder)
        return os.path.join(folder, name)

    # What several tabs have.

    def _show_shelf(self, shelf):
        with gr.Column():
            with gr.Row():
                gr.Markdown(f'**Shelf {shelf.name}**')
                remove = gr.Button('Remove the clicked picture', size='sm')
            shelf.gallery.render()

        def pick(event: gr.SelectData):
            return event.index

        shelf.gallery.select(pick, None, shelf.picked, **PRIVATE)
        remove.click(told(removed), [shelf.items, shelf.picked],
                     [shelf.items, shelf.gallery, shelf.picked], **PRIVATE)

    def _image(self, name, height=LARGE, look=None, visible=True):
        return gr.Image(format='png', height=height, interactive=False, buttons=['fullscreen'],
                        show_label=False, elem_id=f'{name}-image',
                        elem_classes=look or self.look, visible=visible)

    def _command(self, name):
        return gr.Code('# as soon as there is a picture', language='shell', interactive=False,
                       label='Draws it again', lines=1, wrap_lines=True, show_line_numbers=False,
                       buttons=['copy'], elem_id=f'{name}-command', elem_classes='command')

    def _shown(self, name, height=LARGE, keep=True, visible=False):
        """A picture with its command, and buttons to keep it and to download it."""
        with gr.Column(visible=visible) as box:
            result = Shown(self._image(name, height), self._command(name), gr.State(), box)
            with gr.Row():
                for shelf in self.shelves if keep else ():
                    gr.Button(f'Keep on shelf {shelf.name}', size='sm').click(
                        told(kept), [shelf.items, result.current], [shelf.items, shelf.gallery],
                        **PRIVATE)
                download = gr.Button('Download: PNG, w and command', size='sm')
            file = gr.File(elem_classes='unseen')
        download.click(told(self._archive), result.current, file, **PRIVATE).success(
            None, file, js=DOWNLOAD, **PRIVATE)
        return result

    def _archive(self, picture):
        if picture is None:
            raise ValueError('There is no picture to download yet.')
        path = self.path(f'{picture.name}.zip')
        with open(path, 'wb') as file:
            file.write(archive(picture, self.studio.sampler.network_sha256))
        return path

    # The tabs.

    def _seeds(self):
        config, first = self.studio.sampler.config, seeds.first_choice(self.studio.sampler.config)
        with gr.Tab('Seeds'), gr.Row():
            with gr.Column(min_width=280):
                seed = gr.Number(first.seed, label='Seed', precision=0, minimum=0,
                                 maximum=MAX_SEED, elem_id='seed')
                gr.Button('Random seed').click(None, None, seed, js=RANDOM_SEED, **PRIVATE)
                psi = gr.Slider(-1, 1.5, first.psi, step=0.05, label='Truncation psi',
                                info='1 = none, 0 = the average image', elem_id='psi')
                cutoff = gr.Slider(0, config.num_styles, first.cutoff, step=1,
                                   label='Truncated layers', info='The coarsest first')
                noise = gr.Radio(seeds.NOISES, value=first.noise, label='Noise',
                                 visible=self.studio.sampler.has_noise)
                class_idx = gr.Dropdown(list(range(config.label_size)), value=first.class_idx,
                                        label='Class', visible=bool(config.label_size))
            with gr.Column(scale=2):
                result = self._shown('seeds', visible=True)
        controls = [seed, psi, cutoff, noise, class_idx]
        gr.on([self.root.load, *(control.change for control in controls)], told(self._draw_seed),
              controls, list(result), **LIVE)
        return result.current

    def _draw_seed(self, seed, psi, cutoff, noise, class_idx):
        if seed is None:
            raise ValueError('The seed must be a whole number.')
        return shown(seeds.seed_picture(self.studio, seeds.Choice(
            seed, psi, cutoff, noise, class_idx)))

    def _mix(self):
        resolutions = self.studio.resolutions
        with gr.Tab('Mix') as tab:
            with gr.Row():
                chosen = gr.CheckboxGroup(
                    resolutions, value=resolutions[:max(1, len(resolutions) // 2)], scale=2,
                    label='Styles that shelf B gives', info='Coarse ones decide on pose and '
                    'shape, fine ones on colours and details', elem_id='mix-resolutions')
                draw = gr.Button('Mix: shelf A at the left, shelf B at the top', variant='primary')
            result = self._shown('mix', keep=False)
        inputs = [*(shelf.items for shelf in self.shelves), chosen]
        draw.click(told(self._draw_mix), inputs, list(result), **DRAWING)
        gr.on([tab.select, chosen.change], told(self._draw_mix_again), inputs, list(result), **LIVE)

    def _draw_mix(self, a, b, chosen):
        return shown(mixing.mixed_sheet(self.studio, a, b, chosen))

    def _draw_mix_again(self, a, b, chosen):
        """Without a word where something is missing."""
        return self._draw_mix(a, b, chosen) if a and b and chosen else [gr.skip()] * len(
            Shown._fields)

    def _walk(self):
        a, b = (shelf.items for shelf in self.shelves)
        with gr.Tab('Walk'):
            with gr.Row():
                which = gr.Radio(WALKS, value=WALKS[0], label='Through the pictures of')
                steps = gr.Slider(2, 15, 7, step=1, label='Images in each row of the strip')
                draw = gr.Button('Draw the strip', variant='primary')
            result = self._shown('walk', WIDE, keep=False)
            with gr.Row():
                seconds = gr.Slider(1, 60, 6, step=1, label='Seconds of the film',
                                    elem_id='film-seconds')
                loop = gr.Checkbox(True, label='Back to the first picture at the end')
                film = gr.Button('Make the film', variant='primary')
            with gr.Column(visible=False) as box:
                video = gr.Video(height=LARGE, interactive=False, autoplay=True, loop=True,
                                 show_label=False, buttons=['download'], elem_id='walk-film')
                command = self._command('walk-film')
        draw.click(told(self._strip), [which, a, b, steps], list(result), **DRAWING)
        film.click(told(self._film), [which, a, b, seconds, loop], [video, command, box],
                   show_progress_on=film, **DRAWING)

    def _strip(self, which, a, b, steps):
        return shown(walking.strip(self.studio, of_walk(which, a, b), steps))

    def _film(self, which, a, b, seconds, loop, progress=gr.Progress()):  # noqa: B008 - Gradio's
        path = self.path(f'{walking.NAME}.mp4')
        walking.write_film(
            self.studio, of_walk(which, a, b), seconds, loop, path,
            lambda frames: progress.tqdm(frames, total=seconds * walking.FPS, unit='frames'))
        return path, walking.film_command(self.studio, seconds, loop), gr.Column(visible=True)

    def _directions(self):
        with gr.Tab('Directions') as tab, gr.Row():
            with gr.Column(min_width=280):
                start = gr.Dropdown([IN_SEEDS], value=IN_SEEDS, label='Start from')
                sliders = [gr.Slider(-moving.FARTHEST, moving.FARTHEST, 0, step=0.1,
                                     label=moving.words(move), elem_id=f'direction-{number}')
                           for number, move in enumerate(self.studio.moves, 1)]
                reset = gr.Button('Reset')
            with gr.Column(scale=2):
                result = self._shown('directions', visible=True)
        pictures = [self.in_seeds, self.in_project, *(shelf.items for shelf in self.shelves)]
        reset.click(lambda: [0] * len(sliders), None, sliders, **PRIVATE)
        gr.on([tab.select, *(shelf.gallery.change for shelf in self.shelves)], new_starts,
              [start, *pictures], start, **PRIVATE)
        gr.on([tab.select, start.change, *(slider.change for slider in sliders)],
              told(self._move), [start, *pictures, *sliders], list(result), **LIVE)

    def _move(self, start, in_seeds, in_project, a, b, *strengths):
        known = starts(in_seeds, in_project, a, b)
        return shown(moving.moved_picture(self.studio, known.get(start, in_seeds), strengths))

    def _project(self):
        with gr.Tab('Project'), gr.Row():
            target, stop = gr.State(), gr.State(projecting.Stop())
            with gr.Column(min_width=280):
                file = only_uploads(gr.File(label='Drop a picture here', height=LOW,
                                            elem_id='target'))
                space = gr.Radio(SPACES, value=SPACES[0], label='Space', info='w edits well, w+ '
                                 'comes nearer')
                steps = gr.Slider(20, 1000, 300, step=20, label='Steps', elem_id='steps')
                noise = gr.Checkbox(True, label='Optimise the noise maps too')
                with gr.Row():
                    go = gr.Button('Project', variant='primary')
                    end = gr.Button('Stop')
                words = gr.Markdown(elem_id='project-words')
            with gr.Column():
                gr.Markdown('The target, as the network sees it')
                aim = self._image('aim', visible=False)
            with gr.Column():
                gr.Markdown('What is found')
                result = self._shown('project')
        gr.on([file.upload, file.clear], lambda: (None, gr.Image(visible=False)), None,
              [target, aim], **PRIVATE).then(told(self._read_target), file, [target, aim],
                                             **PRIVATE)
        go.click(told(self._project_target), [target, space, steps, noise, stop],
                 [*result, words], show_progress='hidden', concurrency_limit=2, **PRIVATE)
        end.click(self._stop, stop, None, **PRIVATE)
        result.current.change(lambda picture: picture, result.current, self.in_project, **PRIVATE)

    def _read_target(self, path):
        if path is None:
            return gr.skip(), gr.skip()
        target = projecting.target_of(self.studio.sampler, path)
        return target, gr.Image(pillow(projecting.shown(target)), visible=True)

    def _project_target(self, target, space, steps, noise, stop):
        if target is None:
            raise ValueError('Drop a picture first.')
        options = Options(space, steps, optimise_noise=noise)
        for preview in projecting.previews(self.studio, target, self.distance, options, stop):
            image, *more = shown(preview.picture) if preview.picture else (
                pillow(preview.image), gr.skip(), gr.skip(), gr.Column(visible=True))
            yield image, *more, preview.words

    @staticmethod
    def _stop(stop):
        stop.asked = True

    def _runs(self):
        with gr.Tab('Runs'):
            with gr.Row():
                choice = gr.Dropdown(trainings.names(self.outdir), value=None, label='Run',
                                     info=f'In {self.outdir}, the newest first', elem_id='run')
                words = gr.Markdown(elem_id='run-words')
            with gr.Row():
                fakes = self._image('fakes', None, visible=False)
                curves = self._image('curves', None, ['drawn'], visible=False)
            with gr.Column(visible=False) as box:
                command = self._command('run')
            seen, timer = gr.State(), gr.Timer(RUNS_SECONDS)
        gr.on([self.root.load, timer.tick, choice.change], told(self._look),
              [choice, seen], [choice, fakes, curves, words, command, box, seen],
              show_progress='hidden', trigger_mode='once', **PRIVATE)

    def _look(self, choice, seen):
        """What is new of a run; seen: (names of runs, state of the run) of the last look."""
        names = trainings.names(self.outdir)
        if not names:
            return [gr.skip()] * 3 + [f'There are no runs in {self.outdir}.'] + [gr.skip()] * 3
        choice = choice if choice in names else names[0]
        run_dir = trainings.run_dir_of(self.outdir, choice)
        now = names, trainings.state_of(run_dir)
        if now == seen:
            return [gr.skip()] * 7
        view = trainings.view(run_dir)
        pictures = (gr.Image(image if image is None else pillow(image), visible=image is not None)
                    for image in (view.fakes, view.curves))
        return [gr.Dropdown(names, value=choice), *pictures, view.words,
                trainings.command(run_dir), gr.Column(visible=view.curves is not None), now]


def application(page, network):
    """The ASGI application of a Page."""
    blocks = page.blocks(network)
    app = gr.mount_gradio_app(
        fastapi.FastAPI(openapi_url=None), blocks, path='/', footer_links=[], run_history=False,
        ssr_mode=False, mcp_server=False, pwa=False, enable_monitoring=False, css=CSS,
        max_file_size=MAX_UPLOAD, theme=gr.themes.Default(font=FONT, font_mono=MONO_FONT))
    blocks.has_launched = True  # as after blocks.launch(): until then Gradio takes any path from
                                # the browser for an uploaded file
    return app
