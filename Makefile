# make demo       everything from a folder of images to a trained network and its samples
# make demo-translation   digits in three styles, translated from each into the others
# make test       the tests; make test-slow: those that take minutes
# make test-web   the tests of explore.py's page, in a real browser; installs Gradio and Chromium first
# make lint       ruff: style and mistakes that a reader of the code alone can find
# make docs       docs/options.md from the code: every option, preset and flag
# make test-lanes the tests with both lanes of TensorFlow, 2.21 and 2.15
# All of them first set up .venv with what requirements.txt and requirements-dev.txt name, for the
# newest Python that there is; LANE=2.15 takes TensorFlow 2.15 and an older Python, in .venv-2.15.

VENV := .venv$(if $(LANE),-$(LANE))
PYTHON := $(VENV)/bin/python
SET_UP := $(VENV)/.ready
export LANE

.PHONY: help demo demo-translation test test-slow test-web test-lanes test-core lint docs

help:
	@sed -n 's/^# //p' Makefile

$(SET_UP): requirements.txt requirements-dev.txt scripts/setup_venv.sh
	@scripts/setup_venv.sh

# The images and the dataset are made once; delete the folder to have it made again.
datasets/digits-images: | $(SET_UP)
	$(PYTHON) demo_digits.py datasets/digits-images

datasets/digits: | datasets/digits-images
	$(PYTHON) dataset_tool.py create_from_images datasets/digits datasets/digits-images

demo: $(SET_UP) | datasets/digits
	$(PYTHON) train.py --data=datasets/digits --preset=digits --outdir=results
	@network=$$(ls results/*-digits-*/network-final.safetensors | tail -n 1) && set -x && \
	$(PYTHON) pretrained_example.py --network=$$network --outdir=out/digits

datasets/styles: | $(SET_UP)
	$(PYTHON) demo_digits.py datasets/styles --styles

demo-translation: $(SET_UP) | datasets/styles
	$(PYTHON) train_translation.py --data=datasets/styles/train --val=datasets/styles/val --preset=small \
		--outdir=results
	@network=$$(ls results/*-stargan2-styles-*/network-final.safetensors | tail -n 1) && set -x && \
	$(PYTHON) translate.py --network=$$network --source=datasets/styles/val/chalk --domain=ink,neon \
		--seeds=0-3 --sheet --outdir=out/styles

test: $(SET_UP)
	$(PYTHON) -m pytest --numprocesses=2 --dist=loadfile

test-slow: $(SET_UP)
	$(PYTHON) -m pytest -m slow

$(VENV)/.web-ready: $(SET_UP) requirements-web.txt requirements-web-dev.txt scripts/setup_web.sh
	@scripts/setup_web.sh

test-web: $(VENV)/.web-ready
	$(PYTHON) -m pytest -m web tests/web

test-lanes:
	$(MAKE) test LANE=2.21
	$(MAKE) test LANE=2.15

# What must not rot in a lane that is not tested in full: numbers, resuming, files (also those of the
# other lane, where it is installed too), trainings.
test-core: $(SET_UP)
	$(PYTHON) -m pytest --numprocesses=2 --dist=loadfile tests/test_parity.py tests/test_reference.py \
		tests/test_layers.py tests/test_steps.py tests/test_checkpoints.py tests/test_resume.py \
		tests/test_snapshot.py tests/test_training.py tests/test_lanes.py

lint: $(SET_UP)
	$(PYTHON) -m ruff check .

docs: $(SET_UP)
	$(PYTHON) scripts/options_page.py
