# Each target does its own set-up; a warm run skips all of it.
PYTHON ?= python3
RUN := .venv/bin
BOOTSTRAP := $(PYTHON) testbed/toolchain/bootstrap.py

# Nothing is compiled twice: a start without bytecode takes half as long again.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: check test rehearse system environment wheel lock clean

check: environment  ## the inner loop: style, types, who-imports-whom, fast tests; no root, no cluster
	@$(RUN)/ruff check . && $(RUN)/ruff format --check . && $(RUN)/lint-imports && $(RUN)/mypy \
	  && $(RUN)/pytest -q -n auto -m 'not slow'

test: system  ## everything: the inner loop, then the tests on real programs, then the rehearsal
	@$(MAKE) --no-print-directory check
	@$(RUN)/sealift tools
	@$(RUN)/pytest -q -n auto --dist loadfile -m slow
	@$(RUN)/sealift rehearse --stack dev --stack prod

rehearse: system  ## the main job: bundle -> registry -> pulumi up -> smoke tests on this machine, egress denied
	@$(RUN)/sealift rehearse $(if $(UPSTREAM),--upstream $(UPSTREAM)) $(if $(STACK),--stack $(STACK))

wheel:  ## dist/sealift-*.whl, which `sealift lock --wheel` and `sealift bundle create --wheel` take
	@$(RUN)/python -m testbed.toolchain.wheel dist

environment:
	@$(BOOTSTRAP)

system:
	@$(BOOTSTRAP) --system

COMPILE := $(RUN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --python-version 3.11 pyproject.toml

lock:  ## requirements.lock from pyproject.toml, and of it what operators' machines need
	@$(COMPILE) --all-extras -o requirements.lock
	@$(COMPILE) catalog/requirements.in --constraint requirements.lock -o catalog/requirements.txt

clean:
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis dist *.egg-info
