# Everything a fresh machine needs: `make demo` and `make test`. See README.md.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
# One worker more than cores: tests also wait for children, disks and time limits.
PYTEST_ARGS ?= -n $$(( $$(getconf _NPROCESSORS_ONLN) + 1 )) --dist worksteal

.PHONY: venv hwi demo test lint bench node postgres electrum interop browser fuzz mutants wheels wheels-usb vectors lock

# The lock is installed in steps, each with hashes: build backends first, so that no sdist can fetch an
# unhashed one; then everything without resolving anything; then the project itself, editable.
venv: $(READY)
$(READY): requirements/build.txt requirements/dev.txt pyproject.toml Makefile
	@$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info[:2] <= (3, 14) else "custody needs Python 3.11 to 3.14; set PYTHON=python3.12 or like")'
	$(PYTHON) -m venv --clear $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --require-hashes -r requirements/dev.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $(READY)

# HWI, for hardware wallets over USB; everything else works without it. What it needs comes first. HWI itself stands
# in a file of its own: its metadata refuses Python 3.13 and newer, where it runs all the same.
HWI := $(VENV)/.hwi
hwi: $(HWI)
$(HWI): $(READY) requirements/usb.txt requirements/hwi.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --require-hashes -r requirements/usb.txt
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --require-hashes --ignore-requires-python -r requirements/hwi.txt
	@touch $(HWI)

demo: venv
	$(BIN)/custody demo

# Compiled modules are kept between runs and for the programs that the tests start, whatever the environment says.
test: export PYTHONDONTWRITEBYTECODE :=
test: venv
	$(BIN)/python -m pytest $(PYTEST_ARGS)

lint: venv
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/python -m pytest tests/layering

# A real bitcoind for the tests marked `node`, unpacked under .node without installing it.
# BITCOIND, or a bitcoind on PATH, is used instead where there is one.
node:
	@tests/support/get-node .node

# A real PostgreSQL for the tests marked `postgres`: what is here, else the system's package (root), else the
# same package unpacked under .postgres. Each test session starts a server of its own.
postgres:
	@tests/support/get-postgres .postgres

# A real Electrum for the tests marked `electrum`: what is here, else the system's package unpacked under .electrum.
electrum:
	@tests/support/get-electrum .electrum

# A real Chromium and the checker axe-core for the tests marked `browser`: what is here, else the system's package
# (root); axe-core is one file of a pinned npm package, kept under .browser.
browser:
	@tests/support/get-browser .browser

# Another implementation of BIP 322 (PyPI's bip322-core) in an environment of its own, for the tests marked `interop`:
# it wants an older version of a package that our own lock has.
INTEROP := .interop
interop: $(INTEROP)/.ready
$(INTEROP)/.ready: requirements/build.txt requirements/interop.txt
	$(PYTHON) -m venv --clear $(INTEROP)
	$(INTEROP)/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/build.txt
	$(INTEROP)/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --require-hashes -r requirements/interop.txt
	@touch $@

bench: venv
	$(BIN)/python tests/bench/run.py
	$(BIN)/python tests/bench/journal_speed.py
	$(BIN)/python tests/bench/audit_speed.py
	$(BIN)/python tests/bench/reconstruct_speed.py
	$(BIN)/python tests/bench/past_balance.py

# The verdict on every published vector, counted; the same figures stand in docs/vectors.md.
vectors: venv
	$(BIN)/python tests/bench/vector_counts.py

fuzz: venv
	$(BIN)/python -m pytest $(PYTEST_ARGS) tests/properties --hypothesis-profile=fuzz

# Breaks one thing at a time in a room and lists what its tests don't notice; docs/ARCHITECTURE.md has the last list.
ROOM ?= custody/policy
mutants: venv
	$(BIN)/python tests/bench/mutants.py $(ROOM)

# A folder that installs the command on a machine without a network:
#   python3 -m pip install --no-index --find-links wheels reserve-custody
wheels: venv
	rm -rf wheels
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --require-hashes -r requirements/run.txt --wheel-dir wheels
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation . --wheel-dir wheels

# The same with HWI and what it needs, for a machine with hardware wallets and without a network:
#   python3 -m pip install --no-index --find-links wheels --no-deps --ignore-requires-python wheels/*.whl
wheels-usb: wheels
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --no-build-isolation --require-hashes -r requirements/usb.txt --wheel-dir wheels
	$(BIN)/python -m pip wheel --quiet --disable-pip-version-check --no-deps --require-hashes --ignore-requires-python -r requirements/hwi.txt --wheel-dir wheels

# Rewrites the lock from the *.in files; needs `uv` on PATH. Review every changed line. HWI is taken without what it
# asks for: that stands in usb.in.
UV_COMPILE := uv pip compile --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url --no-annotate -q
lock:
	for name in build run dev usb interop; do $(UV_COMPILE) requirements/$$name.in -o requirements/$$name.txt; done
	$(UV_COMPILE) --no-deps requirements/hwi.in -o requirements/hwi.txt
