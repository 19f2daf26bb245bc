# make demo    the main job on real pictures; PHOTOS=folder QUERY=picture for your own
# make test    set up a virtual environment and run everything that must pass
# make check   style, types, layers, generated stub
# make bench   measure this machine against NumPy, FAISS, SciPy and scikit-learn
# make bench-index   measure the index against FAISS, hnswlib, SciPy and our plain scans
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
SOURCES := $(shell find cpp -name '*.cpp' -o -name '*.hpp' -o -name '*.inl') CMakeLists.txt pyproject.toml

.PHONY: demo test check bench bench-index clean

export PHOTOS QUERY

demo: .stamps/demo
	@$(BIN)/lookalike demo $(if $(PHOTOS),--photos "$$PHOTOS") $(if $(QUERY),--query "$$QUERY")

test: check
	$(BIN)/python -m pytest -n 2

check: .stamps/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/clang-format --dry-run --Werror $(shell find cpp tests -name '*.cpp' -o -name '*.hpp' -o -name '*.inl')
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/python -m nanobind.stubgen -q -m lookalike.kernels._compiled -o .stamps/_compiled.pyi
	diff src/lookalike/kernels/_compiled.pyi .stamps/_compiled.pyi

bench: .stamps/bench
	env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BIN)/python benchmarks/scans.py
	$(BIN)/python benchmarks/pictures.py

bench-index: .stamps/bench
	env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE $(BIN)/python benchmarks/index_bench.py
	$(BIN)/python benchmarks/index_agreement.py

.stamps/venv:
	@echo 'Setting up a virtual environment in $(VENV) (once) ...' >&2
	@$(PYTHON) -c 'import sys; assert sys.version_info >= (3, 11), "Python 3.11 or later is needed"'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	mkdir -p .stamps && touch $@

.stamps/dev: .stamps/venv $(SOURCES)
	$(BIN)/python -m pip install --quiet --editable . --group test --group check
	touch $@

.stamps/demo: .stamps/venv $(SOURCES)
	@echo 'Building and installing Lookalike with what the demo needs ...' >&2
	$(BIN)/python -m pip install --quiet --editable '.[demo]'
	touch $@

.stamps/bench: .stamps/dev
	$(BIN)/python -m pip install --quiet --editable '.[bench]'
	touch $@

clean:
	rm -rf $(VENV) .stamps build
