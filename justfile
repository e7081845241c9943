# The commands of a developer; `just` lists them. All use the virtual environment in .venv.

set positional-arguments # so that quotes around an override survive

python := ".venv/bin/python"

# list the commands
default:
    @just --list --unsorted

# make the virtual environment that the tests need
setup:
    python3 -m venv .venv && .venv/bin/pip install -q -e '.[test]' -c tests/lock.txt

# run the main job, or what is given: just run strategy=knockout
run *overrides:
    {{python}} run.py "$@"

# run the tests on all cores (-n auto), or some: just test tests/stats -k exact
test *arguments:
    .venv/bin/pytest "$@"

# check style and formatting
lint:
    .venv/bin/ruff check .
    .venv/bin/ruff format --check .

# mend style and formatting
format:
    .venv/bin/ruff check --fix .
    .venv/bin/ruff format .

# check types
types:
    .venv/bin/mypy

# all that must be green before a commit
check: lint types test

# the lanes that run real models: installs them, and downloads weights
lanes:
    .venv/bin/pip install -q -e '.[embedded,lm-eval,hub]' xllamacpp -c tests/lock.txt
    .venv/bin/pytest -m "embedded or lm_eval or openai_real or hub"

# draw docs/rooms.svg anew, after an import between two rooms has changed
picture:
    {{python}} docs/draw_rooms.py
    {{python}} docs/draw_rooms.py --list

# build the docs site into site/, strictly; open site/index.html
site:
    python3 -m venv .venv-docs && .venv-docs/bin/pip install -q -e '.[docs]'
    NO_MKDOCS_2_WARNING=1 .venv-docs/bin/mkdocs build --strict

# write the tables of the docs that code makes, and draw the figures of the strategies anew (minutes)
pages:
    {{python}} docs/list_judges.py --write
    {{python}} docs/list_strategies.py --write
    {{python}} docs/list_benchmarks.py --write
    {{python}} docs/draw_strategies.py
