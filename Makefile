# Everything a user or a developer starts. `make help` lists it.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TEST_WORKERS ?= 2

.DEFAULT_GOAL := help
.PHONY: help setup demo demo-hadoop up down status test test-slow test-browser test-deploy test-hadoop test-kerberos simulate fuzz lint types imports docs bench clean

help:  ## list the targets
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

setup: $(STAMP)  ## make .venv, install the pinned packages, compile the fast reader

$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(0 if (3, 11) <= sys.version_info < (3, 14) else "SHP needs Python 3.11, 3.12 or 3.13; this is " + sys.version.split()[0] + ". Try: make PYTHON=python3.12 ...")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[local,hadoop,hive,s3,sftp,dev]'
	$(BIN)/python -m shp_core.reading.scan.build
	touch $@

demo: setup  ## load sample workbooks through a whole platform, and prove it
	$(BIN)/shp demo

demo-hadoop: setup  ## the same on a real HDFS, YARN and Hive of this machine: needs Java 17, and Maven once (fetches 380 MB)
	SHP_HADOOP_CACHE=$${SHP_HADOOP_CACHE:-$(CURDIR)/var/cache/hadoop} $(BIN)/shp demo --hadoop

up: setup  ## start the platform and keep it running (Ctrl-C stops it)
	$(BIN)/shp up

down: setup  ## stop the platform
	$(BIN)/shp down

status: setup  ## ask the platform how it is
	$(BIN)/shp status

test: setup  ## all tests that need only Python
	@echo 'Left out here: tests marked slow (make test-slow), hadoop (need Java and Maven), kerberos (a KDC besides: make test-kerberos), browser (need Chromium: make test-browser) and deploy (need nginx: make test-deploy).'
	$(BIN)/python -m pytest -m 'not slow and not hadoop and not kerberos and not browser and not deploy' -n $(TEST_WORKERS) --dist loadfile --no-loadscope-reorder --durations 10 $(PYTEST_ARGS)

test-slow: setup  ## the largest workbooks that the format allows, the demo from an installed wheel, processes killed under load
	$(BIN)/python -m pytest -m slow $(PYTEST_ARGS)

test-deploy: setup  ## the shipped proxy configuration and units: needs nginx and systemd-analyze (apt-get install nginx-light systemd)
	$(BIN)/python -m pytest -m deploy $(PYTEST_ARGS)

test-browser: setup  ## a person at Dagster's UI: needs Chromium (apt-get install chromium)
	$(BIN)/python -m pytest -m browser --timeout 600 $(PYTEST_ARGS)

test-hadoop: setup  ## tests on a real Hadoop: needs Java 17, and Maven once (fetches 380 MB)
	SHP_HADOOP_CACHE=$${SHP_HADOOP_CACHE:-$(CURDIR)/var/cache/hadoop} $(BIN)/python -m pytest -m hadoop --timeout 600 $(PYTEST_ARGS)

test-kerberos: setup  ## a Hadoop that asks for Kerberos: needs a KDC besides (apt-get install krb5-kdc krb5-admin-server krb5-user libkrb5-dev gcc)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[kerberos]'
	SHP_HADOOP_CACHE=$${SHP_HADOOP_CACHE:-$(CURDIR)/var/cache/hadoop} $(BIN)/python -m pytest -m kerberos --timeout 600 tests/test_kerberos.py $(PYTEST_ARGS)

simulate: setup  ## ten thousand schedules of trouble under a clock that jumps: everything must heal
	SHP_SIMULATIONS=10000 $(BIN)/python -m pytest --timeout 3600 tests/test_simulation.py $(PYTEST_ARGS)

fuzz: setup  ## many random workbooks and CSV files written and read, many damaged at random, many converted both ways
	SHP_FUZZ_EXAMPLES=10000 SHP_FUZZ_ROUNDS=4000 $(BIN)/python -m pytest --timeout 7200 $(PYTEST_ARGS) \
	  tests/test_reading_witness.py::test_whatever_is_written_is_read tests/test_reading_mutations.py tests/test_scan_properties.py \
	  tests/test_csv_rows.py tests/test_contract_kernels.py

lint: setup  ## style and docstrings
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: setup  ## static types
	$(BIN)/mypy

imports: setup  ## who may know whom
	$(BIN)/lint-imports

docs: setup  ## write the generated pages anew
	$(BIN)/python -m shp_ops.pages

bench: setup  ## measure, and keep the numbers in benchmarks/results
	$(BIN)/python -m benchmarks

clean:  ## remove the virtual environment and this checkout's state
	-$(BIN)/shp down
	rm -rf $(VENV) var dist
