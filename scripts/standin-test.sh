#!/usr/bin/env bash
# Executes README's recipe "hosts file": an app with the names of Cloudflare's service written into it runs on this machine, where those
# names lead to callsemu on the real ports. The hosts file and the ports are of namespaces that end with this script, so that the
# machine's own stay as they are.
set -euo pipefail
cd "$(dirname "$0")/.."

ready_wait=30s
run_wait=180 # seconds for the app

log() { printf '%s\n' "$*" >&2; }

# inside runs where the names are ours: $1 is the work directory.
inside() {
	local work=$1 server status=0
	ip link set lo up
	# A network beside loopback, as a laptop has one: WebRTC clients do not use loopback addresses of their own.
	ip link add lan0 type veth peer name lan1
	ip addr add 192.168.77.7/24 dev lan0
	ip link set lan0 up
	ip link set lan1 up
	{
		cat /etc/hosts
		echo "127.0.0.1 rtc.live.cloudflare.com api.cloudflare.com stun.cloudflare.com turn.cloudflare.com"
	} >"$work/hosts"
	mount --bind "$work/hosts" /etc/hosts
	"$work/callsemu" --https 127.0.0.1:443 --http 127.0.0.1:80 --state-dir "$work/state" >"$work/callsemu.out" 2>"$work/callsemu.log" &
	server=$!
	"$work/callsemu" wait --timeout "$ready_wait"
	SSL_CERT_FILE=$work/state/ca.pem timeout "$run_wait" "$work/standin" || status=$?
	curl -sSf --cacert "$work/state/ca.pem" -X POST -H 'Authorization: Bearer my-token' \
		https://rtc.live.cloudflare.com/v1/apps/my-app/sessions/new >"$work/session" || status=$?
	grep -q '"sessionId"' "$work/session" && echo "curl: https://rtc.live.cloudflare.com answers" || status=1
	kill "$server"
	wait "$server" || status=$?
	[ "$status" -eq 0 ] || { log "--- callsemu said"; tail -n 40 "$work/callsemu.log" >&2; }
	return "$status"
}

if [ "${1:-}" = --inside ]; then
	inside "$2"
	exit
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -o "$work/callsemu" ./cmd/callsemu
CGO_ENABLED=0 go build -o "$work/standin" ./examples/standin
namespaces=(unshare --net --mount --pid --fork --kill-child)
[ "$(id -u)" -eq 0 ] || namespaces+=(--user --map-root-user)
"${namespaces[@]}" -- "$BASH" scripts/standin-test.sh --inside "$work"
