#!/usr/bin/env bash
# Runs every fuzz target of the module for a while, one after the other: fuzz.sh [TIME, default 20s]
set -euo pipefail
cd "$(dirname "$0")/.."

fuzztime=${1:-20s}
count=0
while read -r package; do
	while read -r target; do
		echo "$package $target"
		go test -run '^$' -fuzz "^$target\$" -fuzztime "$fuzztime" -fuzzminimizetime 10x "$package"
		count=$((count + 1))
	done < <(go test -list '^Fuzz' "$package" | grep '^Fuzz' || true)
done < <(go list ./...)
echo "$count fuzz targets, $fuzztime each"
