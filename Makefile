# `make check` is what CI runs.
PYTHON ?= python3

.PHONY: check lint types web test
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

# The page of the viewer, checked by TypeScript and by node's own runner: needs Node.js 20; nothing of it ships.
web: tests/viewer/node_modules
	tests/viewer/node_modules/.bin/tsc -p viewer/web
	node --test $$(find tests/viewer/web -name '*.test.js')

tests/viewer/node_modules: tests/viewer/package-lock.json
	cd tests/viewer && npm ci --ignore-scripts --no-audit --no-fund
	@touch $@
