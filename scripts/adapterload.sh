#!/usr/bin/env bash
# Starts a callsemu on free loopback ports and runs the load of scripts/adapterload against it: adapterload.sh [flags of adapterload]
set -euo pipefail
cd "$(dirname "$0")/.."

work=$(mktemp -d)
server=
cleanup() {
	[ -z "$server" ] || kill "$server" 2>/dev/null || true
	[ -z "$server" ] || wait "$server" 2>/dev/null || true
	rm -rf "$work"
}
trap cleanup EXIT

CGO_ENABLED=0 go build -trimpath -o "$work/callsemu" ./cmd/callsemu
CGO_ENABLED=0 go build -trimpath -o "$work/adapterload" ./scripts/adapterload
"$work/callsemu" --listen 127.0.0.1:0 --media 127.0.0.1 --stun off --log-format json >"$work/log" 2>&1 &
server=$!
for _ in $(seq 100); do
	url=$(grep -o 'http://127\.0\.0\.1:[0-9]*' "$work/log" | head -1) && [ -n "$url" ] && break
	kill -0 "$server" 2>/dev/null || { cat "$work/log" >&2; exit 1; }
	sleep 0.05
done
"$work/adapterload" -url "$url" -pid "$server" "$@"
