.PHONY: run test bench bench-detection bench-campaign lint lock docs

run:            ## the example site with the gateway in front of it; Ctrl-C stops both
	@.ci/setup run
	@.venv/bin/python examples/run.py

# Test processes side by side: tests wait as much as they compute, so one more than two cores. 0: one test after the other, in one process.
WORKERS ?= 3

test:           ## lint, types and every test; WORKERS=n processes
	@.ci/setup test
	@$(MAKE) --no-print-directory lint
	@.venv/bin/python -m pytest -q -n $(WORKERS) --dist loadfile --no-loadscope-reorder

lint:
	@.venv/bin/ruff check .
	@.venv/bin/ruff format --check --quiet .
	@.venv/bin/mypy

bench:          ## CPU per request beside nginx, HAProxy, Caddy and plain aiohttp; by store and workers; by stage; then detection
	@.ci/setup bench
	@.venv/bin/python bench/proxy.py
	@.venv/bin/python bench/shared.py
	@.venv/bin/python bench/stages.py
	@.venv/bin/python -m bench.detection

bench-campaign: ## simulated campaigns under attack: what is found, how soon, and who is harmed
	@.ci/setup bench
	@.venv/bin/python bench/campaign.py

bench-detection: ## what each detector and the verdict find at few false positives, beside peers; then people held by mistake
	@.ci/setup bench
	@.venv/bin/python -m bench.detection
	@.venv/bin/python -m bench.people

docs:           ## rewrite the generated reference
	@.venv/bin/python docs/generate.py

lock:           ## pin every dependency with its hashes
	@.venv/bin/python -m pip install --quiet uv
	@.venv/bin/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml --extra build -o .ci/requirements.txt
	@.venv/bin/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --python-version 3.11 pyproject.toml --extra build --group dev -o .ci/requirements-dev.txt
