# What a fresh machine needs is Python >= 3.11 and make; everything else is installed into .venv and kept there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin

.PHONY: install demo test pulumi lint bench full requirements clean

demo: $(VENV)/demo.stamp
	@PATH="$(CURDIR)/$(BIN):$$PATH" bash examples/demo.sh

test: $(VENV)/dev.stamp
	@bash tools/pulumi.sh >/dev/null || test -z "$$CI"
	$(BIN)/pytest -n 3 --dist loadfile --no-loadscope-reorder -m "not full" -q $(PYTEST_ARGS)

install: $(VENV)/dev.stamp

pulumi:
	@bash tools/pulumi.sh

lint: $(VENV)/dev.stamp
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/basedpyright --level error
	$(BIN)/basedpyright --level error --pythonversion 3.9 provisioner/checkpoint provisioner/errors.py

full: $(VENV)/dev.stamp
	$(BIN)/pytest -q -m full -rP
	$(BIN)/python -m benchmarks kills 7

bench: $(VENV)/dev.stamp
	$(BIN)/python -m benchmarks

$(BIN)/uv: requirements/uv.txt
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "accelctl needs Python 3.11 or newer; set PYTHON=")'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install -q --require-hashes -r requirements/uv.txt
	@touch $@

$(VENV)/demo.stamp: $(BIN)/uv requirements/demo.txt pyproject.toml
	@test -e $(VENV)/dev.stamp || $(BIN)/uv pip install -q --python $(BIN)/python --compile-bytecode --no-deps --require-hashes -r requirements/demo.txt
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

$(VENV)/dev.stamp: $(BIN)/uv requirements/dev.txt pyproject.toml
	@$(BIN)/uv pip install -q --python $(BIN)/python --compile-bytecode --no-deps --require-hashes -r requirements/dev.txt
	@$(BIN)/uv pip install -q --python $(BIN)/python --no-deps --no-build-isolation -e .
	@touch $@

requirements: $(BIN)/uv
	cd requirements && ../$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --no-annotate --universal --python-version 3.11 uv.in -o uv.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --no-annotate --universal --python-version 3.11 pyproject.toml requirements/build.in --extra aws --extra sandbox --group examples -o requirements/demo.txt
	$(BIN)/uv pip compile -q --generate-hashes --no-emit-index-url --no-header --no-annotate --universal --python-version 3.11 pyproject.toml requirements/build.in --extra aws --extra sandbox --extra stacks-aws --extra gcp --extra stacks-gcp --extra azure --extra stacks-azure --extra policies --group examples --group dev -o requirements/dev.txt

clean:
	rm -rf $(VENV) build *.egg-info
