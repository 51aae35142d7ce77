#!/bin/sh
# Style, format, types and import rules of the whole project; says everything it finds, then fails.
cd "$(dirname "$0")/.." || exit 1
bin=$PWD/.venv/bin
status=0
run() { echo "== $*"; "$@" || status=1; }

run "$bin/ruff" check .
run "$bin/ruff" format --check .
# One package at a time: every service has modules of the same names in its tests.
for sources in */src bench; do run "$bin/mypy" --no-error-summary "$sources"; done
for tests in */tests tests; do
  MYPYPATH=$(dirname "$tests") run "$bin/mypy" --no-error-summary --explicit-package-bases "$tests"
done
if [ -f .importlinter ] || grep -q '^\[tool.importlinter' pyproject.toml; then run "$bin/lint-imports"; fi
exit $status
