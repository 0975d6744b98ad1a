# Everything a reader or a contributor does here; `make` alone lists it.
# Needs make, a POSIX shell and Python 3.11 or newer. Where uv is installed, the first run is faster.

PYTHON ?= python3
PORT ?= 8000
HNET_TIER ?= quick
NOTEBOOKS ?= book/*.ipynb
SLIDES ?= book/01_hypernetworks.ipynb book/02_output_regularizer.ipynb

VENV := .venv
BIN := $(VENV)/bin
SITE := _build/html
CELL_TIMEOUT := 300
INSTALL_ARGS := -c constraints.txt -e '.[test]'

export HNET_TIER
# The quick tier's networks are small. One thread each is as fast as two alone, and far faster than two that wait
# for each other on a busy machine; a run at a larger tier may have more: make notebooks OMP_NUM_THREADS=8.
OMP_NUM_THREADS ?= 1
export OMP_NUM_THREADS
export PATH := $(CURDIR)/$(BIN):$(PATH)
# A kernel and a page are not places to look for a newer pip.
export PIP_DISABLE_PIP_VERSION_CHECK := 1
# jupyter-book 1.x and its Sphinx warn of things that only their own developers can change.
BUILD := PYTHONWARNINGS=ignore::DeprecationWarning jupyter-book build . -W -n --keep-going

# $(call timed,WHAT,COMMAND): run a command, and say what it is and how long it took. No commas in either.
define timed
@echo "==> $(1)"; start=$$(date +%s); \
{ $(2); } || { echo "==> $(1): failed after $$(( $$(date +%s) - start )) s" >&2; exit 1; }; \
echo "==> $(1): done in $$(( $$(date +%s) - start )) s"
endef

.PHONY: help setup vendor book assignments grade slides pdf links test bench lint lab serve notebooks lock clean

help:  ## list these targets
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-12s %s\n", $$1, $$2 }' Makefile

# --- the environment ------------------------------------------------------------------------------

setup: $(VENV)/.stamp  ## make .venv with the pinned packages of constraints.txt

define CHECK_PYTHON
command -v "$(PYTHON)" >/dev/null || { \
  echo "There is no $(PYTHON) here: install Python 3.11 or newer, or name it: make setup PYTHON=/path/to/python3" >&2; \
  exit 1; }; \
"$(PYTHON)" -c 'import sys; v = sys.version_info[:2]; v >= (3, 11) or sys.exit("Python 3.11 or newer is needed, but \
$(PYTHON) is %d.%d: name another one, for example make setup PYTHON=python3.12" % v)'
endef

define INSTALL
if uv --version >/dev/null 2>&1; then \
  { test -x $(BIN)/python || uv venv -q --python "$(PYTHON)" $(VENV); } && \
  uv pip install --python $(BIN)/python $(INSTALL_ARGS); \
else \
  { test -x $(BIN)/python || "$(PYTHON)" -m venv $(VENV); } && \
  { $(BIN)/python -m pip --version >/dev/null 2>&1 || $(BIN)/python -m ensurepip; } && \
  $(BIN)/python -m pip install $(INSTALL_ARGS); \
fi
endef

$(VENV)/.stamp: pyproject.toml constraints.txt
	@test -x $(BIN)/python || { $(CHECK_PYTHON); }
	$(call timed,install the Python packages (about 6 GB with torch: minutes the first time),$(INSTALL))
	@touch $@

# --- the JavaScript that the pages load -----------------------------------------------------------

VENDOR := book/_vendor/vendor
MATHJAX := node_modules/mathjax/es5
WIDGETS := node_modules/@jupyter-widgets/html-manager/dist

define COPY_SCRIPTS
rm -rf book/_vendor && \
mkdir -p $(VENDOR)/mathjax/output/chtml $(VENDOR)/mathjax/input $(VENDOR)/html-manager/dist && \
cp $(MATHJAX)/tex-chtml.js $(VENDOR)/mathjax/ && \
cp -R $(MATHJAX)/output/chtml/fonts $(VENDOR)/mathjax/output/chtml/ && \
cp -R $(MATHJAX)/input/tex $(VENDOR)/mathjax/input/ && \
cp node_modules/requirejs/require.js $(VENDOR)/ && \
cp $(WIDGETS)/embed-amd.js $(WIDGETS)/*.woff2 $(VENDOR)/html-manager/dist/
endef

vendor: book/_vendor/.stamp

book/_vendor/.stamp: package.json package-lock.json .npmrc Makefile | $(VENV)/.stamp
	$(call timed,fetch the JavaScript of the pages,npm ci && $(COPY_SCRIPTS))
	@touch $@

# --- the book -------------------------------------------------------------------------------------

# The cache of executed notebooks knows their cells, but not what the cells import and read; Sphinx knows the pages, but
# not its extensions, nor which pages are gone. So checksums of those decide whether cache and site start afresh.
define RUN_KEY
{ echo "$(HNET_TIER)"; cksum constraints.txt; \
  find hnetlib data book/quizzes -type f \( -name '*.py' -o -name '*.js' -o -name '*.json' \) | LC_ALL=C sort | xargs cksum; } | cksum
endef
SITE_KEY := cksum _config.yml _toc.yml pyproject.toml package.json Makefile book/_ext/*.py | cksum

# $(call afresh,NAME,KEY,FOLDERS): remove folders when their key is not the one of the last build.
define afresh
@key=$$($(2)); mkdir -p _build; test "$$key" = "$$(cat _build/.$(1)-key 2>/dev/null)" || { \
  rm -rf $(3); echo "$$key" > _build/.$(1)-key; }
endef

# Kernels greet with warnings of no use to a reader; what goes wrong in a chapter is shown by the build that follows.
EXECUTE := python book/_ext/execute.py _build/.jupyter_cache $(CELL_TIMEOUT) book/*.ipynb 2> _build/execute.log || \
  { cat _build/execute.log >&2; false; }

# The assignments, and a copy that the site offers for download (html_extra_path in _config.yml).
ASSIGNMENTS := _build/assignments
RELEASE := python book/assignments/release.py $(ASSIGNMENTS) && rm -rf _build/extra && mkdir -p _build/extra && \
  cp -R $(ASSIGNMENTS) _build/extra/assignments

# A failed build forgets the pages it has read: Sphinx would not repeat their warnings, and the next build would pass.
book: setup vendor  ## execute every chapter and build the site into _build/html
	$(call afresh,run,$(RUN_KEY),_build/.jupyter_cache _build/.doctrees)
	$(call afresh,site,$(SITE_KEY),$(SITE) _build/.doctrees)
	$(call timed,execute the chapters,$(EXECUTE))
	$(call timed,write the assignments,$(RELEASE))
	$(call timed,build the site,$(BUILD) || { rm -rf _build/.doctrees; false; })
	@echo "The book is at $(SITE)/index.html; 'make serve' shows it at http://127.0.0.1:$(PORT)/"

pdf: setup  ## print the built site into _build/hnetlib-book.pdf (needs Chromium or Chrome)
	@test -f $(SITE)/index.html || { echo "There is no site in $(SITE) yet: run 'make book' first." >&2; exit 1; }
	$(call timed,print the book,python book/_ext/print_book.py $(SITE) _build/hnetlib-book.pdf)

links: setup  ## ask every address outside that the book names whether it is there (needs the internet)
	@python book/_ext/links.py --ask

serve:  ## serve the built site on this machine (PORT=8000)
	@test -f $(SITE)/index.html || { echo "There is no site in $(SITE) yet: run 'make book' first." >&2; exit 1; }
	@echo "http://127.0.0.1:$(PORT)/ (end it with Ctrl-C)"
	@$(BIN)/python -m http.server --bind 127.0.0.1 --directory $(SITE) $(PORT)

slides: setup vendor  ## make slides of the first two chapters in _build/slides (SLIDES=book/03_chunking.ipynb for others)
	@$(BIN)/python book/_ext/slides.py _build/slides node_modules/reveal.js $(VENDOR)/mathjax $(SLIDES)

lab: setup  ## open the chapters in JupyterLab
	@jupyter-lab book

# --- for teachers ---------------------------------------------------------------------------------

OUT ?= _build/grades
TIMEOUT ?= 60

assignments: setup  ## write the assignments, without solutions, into _build/assignments
	$(call timed,write the assignments,$(RELEASE))
	@echo "They are in $(ASSIGNMENTS)"

grade: setup  ## grade a folder of notebooks: make grade SUBMISSIONS=folder (OUT=folder TIMEOUT=seconds)
	@test -n "$(SUBMISSIONS)" || { echo "Which notebooks? make grade SUBMISSIONS=folder, with STUDENT/ASSIGNMENT.ipynb" \
	  "or STUDENT_ASSIGNMENT.ipynb in it." >&2; exit 1; }
	@$(BIN)/python book/assignments/grade.py "$(SUBMISSIONS)" --out "$(OUT)" --timeout $(TIMEOUT)

# --- for contributors -----------------------------------------------------------------------------

UNIT_TESTS := pytest -q -n 2 --dist loadfile
NOTEBOOK_TESTS := pytest -q -n 2 --dist loadfile --nbval-lax --nbval-current-env \
  --nbval-sanitize-with tests/nbval-sanitize.cfg --nbval-cell-timeout $(CELL_TIMEOUT) book/*.ipynb

test: lint book  ## build the book, then run every test and every notebook
	$(call timed,test the package and the site,$(UNIT_TESTS))
	$(call timed,test the notebooks against their stored outputs,$(NOTEBOOK_TESTS))

define LINT
ruff check hnetlib tests benchmarks book && ruff format --check hnetlib tests benchmarks book && \
mypy hnetlib tests benchmarks book/_ext book/assignments && nbqa mypy book/*.ipynb
endef

# Both cores, no checks of shapes, and the authors' package beside ours; it declares no dependencies.
bench: setup  ## measure our training step against the authors' package; about ten minutes, on a quiet machine
	@$(BIN)/python -c 'import hypnettorch' 2>/dev/null || $(BIN)/python -m pip install -q --no-deps hypnettorch==0.0.4
	@OMP_NUM_THREADS=$$(python -c 'import os; print(os.cpu_count())') pytest -q -o addopts= --benchmark-quiet -W ignore benchmarks

lint: setup  ## ruff and mypy on the package, the tests and the notebooks
	$(call timed,lint,$(LINT))

notebooks: setup  ## execute the committed notebooks in place (NOTEBOOKS=book/intro.ipynb for one)
	$(call timed,execute the notebooks in place,jupyter nbconvert --to notebook --execute --inplace \
	  --ExecutePreprocessor.timeout=$(CELL_TIMEOUT) $(NOTEBOOKS))
	@$(BIN)/python book/_ext/normalise.py $(NOTEBOOKS)

lock: setup  ## make constraints.txt and package-lock.json again, for newer versions (needs uv)
	@uv --version >/dev/null || { echo "make lock needs uv: install it first." >&2; exit 1; }
	uv pip compile -q --upgrade --universal --no-emit-index-url --no-header --no-annotate \
	  --python-version 3.11 --extra test pyproject.toml -o constraints.txt
	npm update --package-lock-only

clean:  ## remove what was built (the environment in .venv stays)
	rm -rf _build book/_vendor node_modules
