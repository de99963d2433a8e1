#!/usr/bin/env bash
# Executes README's recipe "hosts file", its line and its command: an app with the names of Cloudflare's service written into it runs on
# a machine where those names lead to callsemu on the real ports. Then a client on another machine, whose network lets no UDP out, gets
# media through it over TCP and TLS. Machines, names and ports are of namespaces that end with this script, so that this machine's own
# stay as they are.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/steps.sh

ready_wait=30s
run_wait=180 # seconds for the app, and for the doctor
server_ip=192.168.77.7
client_ip=192.168.77.8
export PATH=$PATH:/usr/sbin:/sbin # ip and iptables, for users whose PATH lacks them

# make_network gives this machine a network beside loopback, since WebRTC clients do not use loopback addresses of their own, and
# another machine in it, whose UDP stays inside.
make_network() {
	ip link set lo up
	ip link add lan0 type veth peer name lan1
	ip addr add "$server_ip/24" dev lan0
	ip link set lan0 up
	mount -t tmpfs tmpfs /run
	ip netns add client
	ip link set lan1 netns client
	ip -n client link set lo up
	ip -n client addr add "$client_ip/24" dev lan1
	ip -n client link set lan1 up
	ip netns exec client iptables -A OUTPUT -p udp -j DROP
}

trusting() { SSL_CERT_FILE=$work/state/ca.pem timeout "$run_wait" "$@"; }

curl_answers() {
	curl -sSf --cacert "$work/state/ca.pem" -X POST -H 'Authorization: Bearer my-token' \
		https://rtc.live.cloudflare.com/v1/apps/my-app/sessions/new | tee "$work/session"
	grep -q '"sessionId"' "$work/session"
}

# without_udp: what the doctor finds on the other machine.
without_udp() {
	local line
	trusting ip netns exec client "$work/callsemu" doctor --url https://rtc.live.cloudflare.com | tee "$work/doctor.log" || return
	for line in 'ok *https:' 'FAILED *ice-udp:' 'ok *ice-tcp:' 'FAILED *turn-udp:' 'ok *turn-tcp:' 'ok *turn-tls:'; do
		grep -q "^$line" "$work/doctor.log" || { echo "no line like: $line"; return 1; }
	done
}

# names_at IP has README's line in the hosts file, for that address.
names_at() {
	{ cat "$work/hosts.before"; sed -n "s/^127\.0\.0\.1 rtc\.live/$1 rtc.live/p" README.md; } >"$work/hosts"
	grep -q '^[0-9.]* rtc\.live\.cloudflare\.com .* turn\.cloudflare\.com ' "$work/hosts" || { log "README.md has no line for the hosts file"; exit 1; }
}

# start ARGUMENT...: callsemu; stop ends it, which is to succeed.
start() {
	"$work/callsemu" "$@" --state-dir "$work/state" >>"$work/callsemu.out" 2>>"$work/callsemu.log" &
	server=$!
	"$work/callsemu" wait --timeout "$ready_wait"
}

stop() {
	kill "$server"
	wait "$server"
}

# inside runs where the names are ours.
inside() {
	local recipe
	make_network
	cp /etc/hosts "$work/hosts.before"
	cp /etc/hosts "$work/hosts"
	mount --bind "$work/hosts" /etc/hosts
	read -r -a recipe < <(sed -n 's/^callsemu \(--https 127\.0\.0\.1:443 [^#]*\)#.*/\1/p' README.md)
	[ "${#recipe[@]}" -eq 4 ] || { log "README.md has no command for the hosts file"; exit 1; }
	names_at 127.0.0.1
	start "${recipe[@]}"
	step "an app with the real names written into it, the CA trusted" trusting "$work/standin"
	step "curl under the real name" curl_answers
	step "callsemu ends with status 0" stop
	names_at "$server_ip"
	start --listen 0.0.0.0:1473 --stun 0.0.0.0:3478 --https 0.0.0.0:443 --http 0.0.0.0:80
	step "a client whose network lets no UDP out" without_udp
	step "callsemu ends with status 0 again" stop
	if [ "$failed" -gt 0 ]; then
		log "--- callsemu said"
		tail -n 60 "$work/callsemu.log" >&2
	fi
	echo "$passed passed, $failed failed"
	[ "$failed" -eq 0 ]
}

if [ "${1:-}" = --inside ]; then
	work=$2
	inside
	exit
fi

scripts/tools.sh network
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
CGO_ENABLED=0 go build -o "$work/callsemu" ./cmd/callsemu
CGO_ENABLED=0 go build -o "$work/standin" ./examples/standin
namespaces=(unshare --net --mount --pid --fork --kill-child)
[ "$(id -u)" -eq 0 ] || namespaces+=(--user --map-root-user)
"${namespaces[@]}" -- "$BASH" scripts/standin-test.sh --inside "$work"
