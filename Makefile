# make serve: the web application; make test: lint, types, tests. Both install what they need.
PYTHON ?= python3
BIN := .venv/bin
PORT ?= 7860

.PHONY: install serve test lint bench torture train clean

install: .venv/.serve
serve: .venv/.serve
	$(BIN)/zhengwen serve --port $(PORT)

# The stamp files make a second run start at once.
.venv/.serve: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable .
	touch $@

.venv/.test: .venv/.serve
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[test]'
	touch $@

.venv/.train: .venv/.serve
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --editable '.[train]'
	touch $@

lint: .venv/.test
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

test: lint
	$(BIN)/pytest

bench: .venv/.test
	$(BIN)/zhengwen eval
	$(BIN)/zhengwen eval speed

# A thousand rounds of kill -9 while documents are added and removed; CI runs forty.
torture: .venv/.test
	ZHENGWEN_TORTURE_ROUNDS=1000 $(BIN)/pytest tests/test_durability.py

# DATA: the folder of training data that docs/training.md describes.
train: .venv/.train
	$(BIN)/python -m embeddings.training --data $(DATA) --out $(OUT)

clean:
	rm -rf .venv
