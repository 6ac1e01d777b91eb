# make demo       everything from a folder of images to a trained network and its samples
# make test       the tests; make test-slow: those that take minutes
# make lint       ruff: style and mistakes that a reader of the code alone can find
# make docs       docs/options.md from the code: every option, preset and flag
# All of them first set up .venv with what requirements.txt and requirements-dev.txt name.

PYTHON := .venv/bin/python
SET_UP := .venv/.ready

.PHONY: help demo test test-slow lint docs

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

test: $(SET_UP)
	$(PYTHON) -m pytest --numprocesses=2 --dist=loadfile

test-slow: $(SET_UP)
	$(PYTHON) -m pytest -m slow

lint: $(SET_UP)
	$(PYTHON) -m ruff check .

docs: $(SET_UP)
	$(PYTHON) scripts/options_page.py
