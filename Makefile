# make demo   set-up from nothing, then reads the example images, a photograph and a staff with the bundled models
# make test   set-up from nothing, then the tests
# The environment is kept in .venv; nothing is fetched but from the Python package index.

PYTHON ?= $(shell command -v python3.11 || command -v python3)
BIN := .venv/bin
TORCH := .venv-torch/bin
IMAGES := crnn_jt/bundled/images
SHARED := -n 2 --dist loadfile  # two processes of one thread; ARGS="-n 0 FILE" runs a file in this one
CPP = $(shell find crnn_jt -name '*.h' -o -name '*.cc')
STREET := ocr/examples/street.jpg
STAVES := omr/examples/incipit.png $(wildcard ../shared/data/primus_example/*.png)

.PHONY: help demo test test-torch lint format bench fonts clean

help:  ## this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

demo: .venv/ready  ## set up, then read the ten bundled images, a photograph and a staff
	$(BIN)/python -m crnn_jt read $(IMAGES)
	$(BIN)/python -m ocr read $(STREET) --png street.check.png
	$(BIN)/python -m omr read $(STAVES)

test: .venv/ready-dev  ## set up, then run the tests on Jittor
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest $(SHARED) $(ARGS)

test-torch: .venv-torch/ready  ## the same tests with PyTorch behind the seam
	OMP_NUM_THREADS=1 CRNN_BACKEND=torch $(TORCH)/python -m pytest $(SHARED) tests/crnn_jt $(ARGS)

lint: .venv/ready-dev  ## Python: ruff's rules and format; C++: clang-format
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(CPP)

format: .venv/ready-dev  ## mend what the linters can
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/clang-format -i $(CPP)

bench: .venv/ready-bench .venv-torch/ready  ## training and reading images/s, Jittor against PyTorch in turn
	$(BIN)/python -m eval speed $(ARGS)

fonts: .venv/ready  ## fetch the open font families that training uses, into fonts/ (needs npm)
	$(BIN)/python -m data_tools fonts --fetch fonts

clean:  ## remove the environments, and what building a wheel leaves
	rm -rf .venv .venv-torch .venv-rapidocr build dist *.egg-info

.venv/ready: requirements.txt
	@test -n "$(PYTHON)" || { echo "make: python3.11 not found; install it (Debian, Ubuntu: apt install python3.11 python3.11-venv python3.11-dev)"; exit 2; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info[:2] < (3, 11))' || { echo "make: $(PYTHON) is older than 3.11; make PYTHON=/path/to/python3.11"; exit 2; }
	@$(PYTHON) -c 'import venv, ensurepip' || { echo "make: this Python has no venv; apt install python3-venv (or python3.11-venv)"; exit 2; }
	$(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements.txt
	touch $@

.venv/ready-dev: requirements-dev.txt .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-dev.txt
	touch $@

.venv/ready-bench: requirements-bench.txt .venv/ready
	$(BIN)/pip install --quiet --disable-pip-version-check -r requirements-bench.txt
	touch $@

.venv-torch/ready: requirements-torch.txt
	$(PYTHON) -m venv .venv-torch
	$(TORCH)/pip install --quiet --disable-pip-version-check -r requirements-torch.txt
	touch $@

.venv-rapidocr/ready: requirements-rapidocr.txt
	$(PYTHON) -m venv .venv-rapidocr
	.venv-rapidocr/bin/pip install --quiet --disable-pip-version-check -r requirements-rapidocr.txt
	touch $@
