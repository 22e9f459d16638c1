# `make setup` prepares .venv and .comfyui once; every other target calls it first.
PYTHON ?= python3
RUN := .venv/bin/python

.PHONY: setup lock demo serve pictures test lint bench

setup:
	@$(PYTHON) -m demo.setup_environment

# The exact versions that set-up installs; needs uv (https://docs.astral.sh/uv).
lock: setup
	uv pip compile requirements.txt requirements-dev.in .comfyui/requirements.txt --python-version 3.11 --no-annotate \
	  --custom-compile-command "make lock" --output-file requirements-dev.txt $(ARGS)

demo: setup
	$(RUN) -m demo.run

serve: setup
	$(RUN) -m demo.serve $(ARGS)

# The translations, and every picture of README, help pages and workflows.
pictures: setup
	$(RUN) -m demo.write_locales
	$(RUN) -m demo.make_pictures

# The whole suite in several processes, one file at a time in each; with ARGS in one. Files come in their order: by their number
# of tests, as pytest-xdist sorts them, the longest test, which is alone in its file, would be the last.
test: setup
ifdef ARGS
	$(RUN) -m pytest $(ARGS)
else
	OMP_NUM_THREADS=1 $(RUN) -m pytest -n logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder
endif

lint: setup
	$(RUN) -m ruff check
	$(RUN) -m ruff format --check
	$(RUN) .ci/check_package.py
	$(RUN) .ci/check_web.py

# `make bench` lists the benchmarks, `make bench NAME=effect` runs one.
bench: setup
ifdef NAME
	$(RUN) -m benchmarks.$(NAME) $(ARGS)
else
	@$(foreach file,$(shell grep -l __main__ benchmarks/*.py),echo "make bench NAME=$(basename $(notdir $(file)))";)
endif
