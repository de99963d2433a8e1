#!/usr/bin/env bash
# Starts a callsemu on free loopback ports and runs a program of scripts/ against it: load.sh NAME [flags of the program]
set -euo pipefail
cd "$(dirname "$0")/.."

name=${1:?load.sh NAME [flags]}
shift
work=$(mktemp -d)
server=
cleanup() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	[ -z "$server" ] || wait "$server" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT

case $name in
turnabuse) flags=(--stun 127.0.0.1:0 --state-dir "$work/state" --set turn-lifetime=10s) ;;
*) flags=(--stun off) ;;
esac
CGO_ENABLED=0 go build -trimpath -o "$work/callsemu" ./cmd/callsemu
CGO_ENABLED=0 go build -trimpath -o "$work/load" "./scripts/$name"
"$work/callsemu" --listen 127.0.0.1:0 --media 127.0.0.1 "${flags[@]}" >"$work/log" 2>&1 &
server=$!
for _ in $(seq 100); do
	url=$(grep -o 'http://127\.0\.0\.1:[0-9]*' "$work/log" | head -1) && [ -n "$url" ] && break
	kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
	sleep 0.05
done
"$work/load" -url "$url" -pid "$server" "$@"
echo "$(wc -l <"$work/log") lines of log, $(grep -c 'level=ERROR' "$work/log" || true) errors, $(grep -c 'turn refused' "$work/log" || true) refusals of TURN logged"
