"""How long the explorer takes from a seed to its picture, beside the generator alone.

`generator` is a call of the Sampler, from z to uint8; `compiled` the same in one graph, which the
explorer does without because its pixels are to be those of generate.py, to the last bit. `page` is
the function behind the sliders. `browser` is what a browser waits for: the request, the answer, the
PNG (where Gradio is installed). All in turn; medians in milliseconds, and the ratio to `generator`.

    python benchmarks/explorer_latency.py [--network=F] [--resolution=256] [--rounds=20]

Without --network: one of the paper's width with random weights.
"""

from __future__ import annotations

import argparse
import contextlib
import dataclasses
import importlib.util
import json
import os
import statistics
import sys
import threading
import time

os.environ.setdefault('TF_CPP_MIN_LOG_LEVEL', '3')  # before TensorFlow is imported: no banner

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), '..'))

from explorer import seeds, serving  # noqa: E402
from explorer.studio import Studio, open_studio  # noqa: E402
from pictures.latents import latents_of  # noqa: E402
from training.config import GeneratorConfig  # noqa: E402
from training.networks import Generator  # noqa: E402
from training.sampler import Sampler  # noqa: E402


class Browser:
    """Asks an explorer for pictures as its page does."""

    def __init__(self, studio, folder):
        import httpx

        from editing.distances import PixelPyramid
        from explorer.page import Page, application
        app = application(Page(studio, PixelPyramid(), 'results', folder), 'network')
        self.listener = serving.listening('127.0.0.1', 0)
        threading.Thread(target=serving.serve, args=(app, self.listener), daemon=True).start()
        self.client = httpx.Client(base_url=serving.address_of(self.listener), timeout=60)
        config = self.client.get('config').json()
        seed = next(one['id'] for one in config['components']
                    if one['props'].get('elem_id') == 'seed')
        self.call = next(one for one in config['dependencies'] if one['inputs'][:1] == [seed])

    def picture(self, choice):
        """The bytes of the PNG of a seeds.Choice."""
        session = f'session{choice.seed}'
        self.client.post('gradio_api/queue/join', json={
            'data': [choice.seed, choice.psi, choice.cutoff, choice.noise, choice.class_idx],
            'fn_index': self.call['id'], 'session_hash': session}).raise_for_status()
        with self.client.stream('GET', 'gradio_api/queue/data',
                                params={'session_hash': session}) as answer:
            for line in answer.iter_lines():
                message = json.loads(line[6:]) if line.startswith('data: ') else {}
                if message.get('msg') == 'process_completed':
                    file = message['output']['data'][0]
        return self.client.get(file['url']).raise_for_status().content


def opened(args):
    if args.network:
        return open_studio(args.network)
    return Studio(Sampler(Generator(GeneratorConfig(resolution=args.resolution))), [])


def alone(sampler, choice):
    """The picture, without anything around it."""
    w = sampler.w(latents_of([choice.seed], sampler.config.latent_size))
    return sampler.numbered(w, 1)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition('\n')[0])
    parser.add_argument('--network')
    parser.add_argument('--resolution', type=int, default=256)
    parser.add_argument('--rounds', type=int, default=20)
    args = parser.parse_args()
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(serving.private_folder())
        studio = opened(args)
        sampler, first = studio.sampler, seeds.first_choice(studio.sampler.config)
        calls = {'generator': lambda choice: alone(sampler, choice),
                 'compiled': lambda choice: alone(studio.film_sampler, choice),
                 'page': lambda choice: seeds.seed_picture(studio, choice)}
        if importlib.util.find_spec('gradio'):
            calls['browser'] = Browser(studio, folder).picture
        milliseconds = {name: [] for name in calls}
        for number in range(args.rounds + 2):   # the first two compile and fill caches
            for name, call in calls.items():
                start = time.perf_counter()
                call(dataclasses.replace(first, seed=number))
                milliseconds[name].append(1000 * (time.perf_counter() - start))
        medians = {name: statistics.median(found[2:]) for name, found in milliseconds.items()}
    print(f'{sampler.resolution}x{sampler.resolution}\n\n| | ms | ratio |\n| --- | --- | --- |')
    for name, median in medians.items():
        print(f'| {name} | {median:.1f} | {median / medians["generator"]:.2f} |')


if __name__ == '__main__':
    main()
