#!/usr/bin/env bash
# Runs every fuzz target of the project for the time given, one after another, and
# fails with the first that finds something.
set -euo pipefail
time=${1:-5s}
out=$(mktemp)
trap 'rm -f "$out"' EXIT

# go test -fuzz may fail with "context deadline exceeded" and nothing found when
# its time ends in the middle of an input: that is no finding.
fuzz() {
  local dir=$1 target=$2
  echo "fuzz $dir $target"
  if go test -run '^$' -fuzz "^$target\$" -fuzztime "$time" "$dir" >"$out" 2>&1 </dev/null; then
    return
  fi
  if grep -q '^ *context deadline exceeded' "$out" && ! grep -q 'Failing input written' "$out"; then
    return
  fi
  cat "$out"
  exit 1
}

for file in $(grep -rlE '^func Fuzz' --include='*_test.go' . | sort); do
  for target in $(grep -oE '^func Fuzz[A-Za-z0-9_]+' "$file" | sed 's/^func //'); do
    fuzz "$(dirname "$file")" "$target"
  done
done
