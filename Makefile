# Each target does its own set-up; a warm run skips all of it.
PYTHON ?= python3
RUN := .venv/bin
BOOTSTRAP := $(PYTHON) testbed/toolchain/bootstrap.py

.PHONY: check test rehearse system environment lock clean

check: environment  ## the inner loop: style, types, who-imports-whom, fast tests; no root, no cluster
	@$(RUN)/ruff check . && $(RUN)/ruff format --check . && $(RUN)/lint-imports && $(RUN)/mypy \
	  && $(RUN)/pytest -q -n auto -m 'not slow'

test: system  ## everything: the inner loop, then the tests on real programs, then the rehearsal
	@$(MAKE) --no-print-directory check
	@$(RUN)/sealift tools
	@$(RUN)/pytest -q -m slow
	@$(RUN)/sealift rehearse --stack dev --stack prod

rehearse: system  ## the main job: bundle -> registry -> pulumi up -> smoke tests on this machine, egress denied
	@$(RUN)/sealift rehearse $(if $(UPSTREAM),--upstream $(UPSTREAM)) $(if $(STACK),--stack $(STACK))

environment:
	@$(BOOTSTRAP)

system:
	@$(BOOTSTRAP) --system

lock:  ## requirements.lock from pyproject.toml
	@$(RUN)/uv pip compile -q --universal --generate-hashes --no-emit-index-url --no-annotate --no-header \
	  --python-version 3.11 --all-extras pyproject.toml -o requirements.lock

clean:
	@rm -rf .venv .mypy_cache .ruff_cache .pytest_cache .hypothesis *.egg-info
