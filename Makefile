# Two commands do everything: `make run` and `make test`. Both set up .venv first, when needed.

PYTHON ?= python3
BIN := .venv/bin
comma := ,

.PHONY: help run serve test lint lock docs dist image-digests test-wide test-containers test-slurm test-chaos gpu-check \
    gpu-wheels clean
.DEFAULT_GOAL := help

help:            ## this list
	@sed -n 's/^\([a-z-]*\):.*## /  make \1\t/p' Makefile

run: .venv/ready ## start the stack, search the quickstart study, print the answer
	$(BIN)/pernodedrop run $(if $(TASKS),--tasks $(TASKS))

serve: .venv/export ## start the stack and leave it running until Ctrl-C (TASKS= a folder of own tasks)
	$(BIN)/pernodedrop serve $(if $(TASKS),--tasks $(TASKS))

# Hundreds of processes start: none compiles our modules anew, even where Python is told to write no bytecode.
COMPILE = @$(BIN)/python -m compileall -q pernodedrop search_spaces service workers
# Nor does each process of pytest rewrite every test's assertions: what one has written serves the others, and test-wide.
test test-wide: export PYTHONDONTWRITEBYTECODE =

# Four at once on two cores: many tests wait, for workers, leases and servers.
test: .venv/dev .venv/triton ## the suite, on a real Postgres of its own
	$(COMPILE)
	$(BIN)/pytest -n 4 --dist loadgroup --durations=10 -m "not wide and not containers and not slurm and not chaos"

test-wide: .venv/dev .venv/triton ## what tries everything of its kind: every part of gpu-check, every sampler on every space
	$(COMPILE)
	$(BIN)/pytest -n 3 --dist loadgroup --durations=10 -m wide

lint: .venv/dev ## style, types, import rules
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

docs: .venv/dev  ## the documentation site, into build/site
	$(BIN)/python docs/site build/pages
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --strict --quiet

dist: .venv/dev  ## wheel and sdist, into dist/, as a release has them
	rm -rf dist
	$(BIN)/python -m build --outdir dist .

lock: .venv/ready ## the hashes of all that the images install, after a change of pyproject.toml or constraints.txt
	$(BIN)/python docker/lock

image-digests:   ## today's digests of the images' bases, as lines for .env (takes Docker)
	@for line in PYTHON_IMAGE=python:3.12-slim POSTGRES_IMAGE=postgres:17 PROMETHEUS_IMAGE=prom/prometheus:v3.5.0 \
	    GRAFANA_IMAGE=grafana/grafana:12.1.1; do \
	    echo "$$line@$$(docker buildx imagetools inspect "$${line#*=}" --format '{{.Manifest.Digest}}')"; done

test-containers: .venv/dev ## build and run the compose file for real, where Docker can be had
	$(BIN)/pytest -m containers -rfE tests/containers

test-slurm: .venv/dev ## train by jobs of a private SLURM that are limited, cancelled and requeued, where its packages can be had
	$(BIN)/pytest -m slurm -rs tests/slurm

test-chaos: .venv/dev ## let everything fail for MINUTES (5) by the schedule of SEED (any), then count and compare
	$(BIN)/pytest -m chaos --timeout 0 tests/chaos --chaos-minutes $(or $(MINUTES),5) \
	    $(if $(SEED),--chaos-seed $(SEED)) $(if $(TABLE),--chaos-table $(TABLE))

# On a borrowed machine nothing can be set up, so its own Python runs the check.
gpu-check:       ## on a GPU: correctness, speed beside the aims; 8 minutes (PARTS= WHEELS= OUT= CPU=1)
	$(if $(wildcard .venv/ready),$(BIN)/python,$(PYTHON)) -m benchmarks.gpu.check --out $(or $(OUT),build/gpu-check) \
	    $(if $(WHEELS),--wheels $(WHEELS)) $(foreach part,$(PARTS),--part $(part)) $(if $(CPU),--cpu)

gpu-wheels: .venv/ready ## the wheels that gpu-check takes along to a machine without a network (WHEELS=)
	$(BIN)/python -m benchmarks.gpu.wheels $(or $(WHEELS),build/gpu-wheels) --python $(or $(GPU_PYTHON),3.12)

# $(call step,WHAT,COMMAND) says what is done, how long it took, and how large .venv is then.
step = @echo '$(1) ...'; began=$$(date +%s); $(2) && \
    echo "  done in $$(($$(date +%s) - began)) s, .venv has $$(du -sm .venv | cut -f1) MB"
PIP := $(BIN)/python -m pip install --quiet --constraint constraints.txt

# Pinned by constraints.txt; the package itself is editable, so the checkout is what runs.
.venv/ready: pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info < (3, 14) else \
	    f"error: Python 3.11 to 3.13 is needed, {sys.version.split()[0]} is here: make PYTHON=python3.12 ...")'
	$(call step,1/3 an environment of its own in .venv,$(PYTHON) -m venv .venv)
	$(call step,2/3 torch (the largest part),$(PIP) torch==2.13.0 $(if $(TORCH_INDEX_URL),--extra-index-url $(TORCH_INDEX_URL)))
	$(call step,3/3 what service and workers need,$(PIP) --editable '.[service$(comma)worker]')
	@$(BIN)/python -m compileall -q pernodedrop search_spaces service workers
	@$(BIN)/python -m pernodedrop.prepare || echo 'the kernels will be compiled at their first use'
	touch $@

# Reports as Parquet, PNG and SVG: of no use before there are studies that last.
.venv/export: .venv/ready
	$(call step,the packages that write tables and figures as files,$(PIP) --editable '.[all]')
	touch $@

.venv/dev: .venv/ready # what tests and lint take besides
	$(call step,the tools of tests$(comma) lint and documentation,$(PIP) --editable '.[dev]')
	touch $@ .venv/export

# torch's CUDA builds bring Triton; beside a CPU build it serves the kernels' tests through its interpreter.
.venv/triton: .venv/ready
	$(BIN)/python -c 'import triton' 2>/dev/null || $(BIN)/python -m pip install --quiet triton==3.9.0 \
	    || echo "Triton cannot be had here: its kernels' tests are skipped"
	touch $@

clean:           ## remove .venv and caches; studies and data are kept
	rm -rf .venv build *.egg-info .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis
