#!/bin/sh
# Style, format, types and import rules of the whole project, and whether its documents say what the code does; says everything it finds, then fails.
cd "$(dirname "$0")/.." || exit 1
bin=$PWD/.venv/bin
said=$(mktemp)
failed=$(mktemp)
trap 'rm -f "$said" "$failed"' EXIT

run() {
    echo "== $*"
    "$@" || { status=1; echo "failed: $*" >>"$failed"; }
}

style_and_imports() {
    status=0
    run "$bin/ruff" check .
    run "$bin/ruff" format --check .
    run "$bin/lint-imports"
    run "$bin/pytest" -q -p no:cacheprovider infra/tests/test_code_limits.py infra/tests/test_docs.py infra/tests/test_*_doc.py
    return $status
}

types() {
    status=0
    # All at once: what they share is analysed once.
    # shellcheck disable=SC2046
    run "$bin/mypy" --no-error-summary $(ls -d */src) bench
    # Tests one package at a time: every service has modules of the same names in its own.
    for tests in */tests tests; do
        MYPYPATH=$(dirname "$tests") run "$bin/mypy" --no-error-summary --explicit-package-bases "$tests"
    done
    return $status
}

style_and_imports >"$said" 2>&1 &
types
status=$?
wait $! || status=1
cat "$said" "$failed"
exit $status
