#!/usr/bin/env bash
# Runs every fuzz target of the module for a while, one after the other: fuzz.sh [TIME or COUNT, default 20s]
# Where a failure has to mean one, give a count (1000x): at the end of a time Go itself sometimes fails a target that found nothing, with
# "context deadline exceeded".
set -euo pipefail
cd "$(dirname "$0")/.."

fuzztime=${1:-20s}
count=0
while IFS=: read -r file target; do
	package=$(dirname "$file")
	target=${target#func }
	echo "$package $target"
	go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" -fuzzminimizetime 10x "$package"
	count=$((count + 1))
done < <(grep -rEo --include='*_test.go' '^func Fuzz[A-Za-z0-9]*' . | sort)
echo "$count fuzz targets, $fuzztime each"
