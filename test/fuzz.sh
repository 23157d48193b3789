#!/usr/bin/env bash
# Runs every fuzz target of the project for the time given, one after another.
set -euo pipefail
time=${1:-5s}
grep -rlE '^func Fuzz' --include='*_test.go' . | sort | while read -r file; do
  dir=$(dirname "$file")
  grep -oE '^func Fuzz[A-Za-z0-9_]+' "$file" | sed 's/^func //' | while read -r target; do
    echo "fuzz $dir $target"
    go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$dir" </dev/null | grep -vE '^(fuzz: elapsed|ok|PASS)' || true
    [ "${PIPESTATUS[0]}" = 0 ]
  done
done
