# `make check` is what CI runs.
PYTHON ?= python3

.PHONY: check lint types test
check: lint types test

lint:
	$(PYTHON) -m ruff check .
	$(PYTHON) -m ruff format --check .

# mypy and pyright run no import hooks, so they read a git-ignored view of links under the import names.
types:
	@mkdir -p build/types
	@rm -rf build/types/subcut && mkdir build/types/subcut
	@ln -s $(CURDIR)/subcut/*.py $(CURDIR)/subcut/py.typed build/types/subcut/
	@for folder in analysis compiler dsl emulator passes viewer; do ln -s $(CURDIR)/$$folder build/types/subcut/$$folder; done
	$(PYTHON) -m mypy
	$(PYTHON) -m pyright --pythonpath $$($(PYTHON) -c "import sys; print(sys.executable)")

test:
	$(PYTHON) -m pytest -n 2
