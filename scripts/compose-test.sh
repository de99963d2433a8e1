#!/usr/bin/env bash
# Proves the image, docker-compose.yml and README's recipes for containers: builds the image, brings the file up as it is, and pulls
# media from outside the container (through the published ports, over UDP, TCP and TURN, with Firefox as well) and from others, some
# of which know nothing but the names of Cloudflare's service.
#
# It uses the Docker engine that is running. Where there is none it installs Debian's (as root), starts one in a
# network namespace of its own, so that the machine's interfaces and firewall stay as they are, and stops it at the end.
#
# compose-test.sh conformance   runs the conformance suite against the container, and nothing else.
set -euo pipefail
cd "$(dirname "$0")/.."
. scripts/steps.sh

engine_wait=60  # seconds until a new engine answers
health_wait=60  # seconds until the container is healthy
pull_wait=300   # seconds for the base image
base_image=$(awk '$1 == "FROM" { print $2; exit }' Dockerfile)
project=callsemu-test
what=${1:-media}
work=${COMPOSE_TEST_WORK:-}
compose=()
publisher=
service=

# wait_for SECONDS COMMAND...: until the command succeeds.
wait_for() {
	local until=$((SECONDS + $1))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$SECONDS" -lt "$until" ] || return 1
		sleep 0.5
	done
}

# prepare gets what comes from the network.
prepare() {
	scripts/tools.sh node browsers
	go mod download
	(cd e2e && npm ci --no-audit --no-fund)
}

# own_engine starts this script again beside an engine of its own. The namespaces' end is the end of all that runs in them.
own_engine() {
	if [ "$(id -u)" -ne 0 ]; then
		log "No Docker engine answers. Start one (sudo systemctl start docker) and try again."
		exit 1
	fi
	scripts/tools.sh docker
	prepare # there is no network in what follows
	work=$(mktemp -d)
	export COMPOSE_TEST_WORK=$work DOCKER_HOST=unix://$work/docker.sock
	# shellcheck disable=SC2016 # the inner shell expands these
	unshare --net --mount --pid --fork --kill-child --mount-proc -- "$BASH" -c '
		ip link set lo up
		# The machine is in a network, as others are: Firefox uses the address of the default route alone.
		ip link add lan0 type veth peer name lan1
		ip addr add 192.168.77.7/24 dev lan0
		ip link set lan0 up
		ip link set lan1 up
		ip route add default dev lan0
		dockerd --data-root "$1/data" --exec-root "$1/exec" --pidfile "$1/dockerd.pid" \
			--host "$DOCKER_HOST" --storage-driver vfs >"$1/dockerd.log" 2>&1 &
		engine=$!
		trap "kill $engine; wait $engine" EXIT
		scripts/compose-test.sh "$2"
	' bash "$work" "$what" && status=0 || status=$?
	rm -rf "$work"
	exit "$status"
}

# find_base says whether the base image of the Dockerfiles is to be had.
find_base() {
	docker image inspect "$base_image" >/dev/null 2>&1 || timeout "$pull_wait" docker pull -q "$base_image" >/dev/null 2>&1
}

# build_image TAG DOCKERFILE PACKAGE builds what the Dockerfile says; without its base image only the last stage, around a local binary.
build_image() {
	local tag=$1 dockerfile=$2 package=$3 context=$work/image-$1
	if [ "$base_there" = yes ]; then
		docker build -t "$tag" -f "$dockerfile" .
		return
	fi
	echo "no $base_image to be had: the last stage around a local binary"
	mkdir -p "$context/state" "$context/etc/ssl/certs" &&
		cp /etc/ssl/certs/ca-certificates.crt "$context/etc/ssl/certs/" &&
		CGO_ENABLED=0 go build -trimpath -ldflags '-s -w' -o "$context/$(basename "$package")" "$package" &&
		awk '/^FROM scratch/ { last = 1 } last' "$dockerfile" | sed 's/^COPY --from=build /COPY /' >"$context/Dockerfile" &&
		docker build -q -t "$tag" "$context"
}

build_clients() {
	local context=$work/peer
	mkdir -p "$context" &&
		CGO_ENABLED=0 go build -o "$context/composepeer" ./scripts/composepeer &&
		CGO_ENABLED=0 go build -o "$work/callsemu" ./cmd/callsemu &&
		printf 'FROM scratch\nCOPY composepeer /composepeer\nUSER 65532:65532\nENTRYPOINT ["/composepeer"]\n' >"$context/Dockerfile" &&
		docker build -q -t callsemu-composepeer "$context"
}

healthy() {
	[ "$(docker inspect -f '{{.State.Health.Status}}' "$container")" = healthy ]
}

stops_cleanly() {
	docker stop -t 5 "$container"
	[ "$(docker inspect -f '{{.State.ExitCode}}' "$container")" = 0 ]
}

# published_on_loopback_only fails if any port is reachable from another machine.
published_on_loopback_only() {
	local ports
	ports=$(docker port "$container")
	echo "${ports//$'\n'/; }"
	[ -n "$ports" ] && ! grep -v ' -> 127\.0\.0\.1:' <<<"$ports"
}

publisher_says_session() { [ -s "$work/session" ]; }

peer_outside() { "$work/peer/composepeer" "$@"; }

peer_in_container() {
	docker run --rm --network "${project}_default" callsemu-composepeer "$@"
}

give_ca() { docker exec "$container" /callsemu ca >"$work/ca.pem"; }

# The peer trusts nothing but the CA.
trusting_peer_outside() { SSL_CERT_FILE=$work/ca.pem "$work/peer/composepeer" "$@"; }

# trusting_peer NETWORK ARGUMENT...
trusting_peer() {
	local network=$1
	shift
	docker run --rm --network "$network" --volume "$work/ca.pem:/ca.pem:ro" --env SSL_CERT_FILE=/ca.pem callsemu-composepeer "$@"
}

# at_once SESSION: a client outside and one in a container at the same time.
at_once() {
	local outside status=0
	peer_outside pull -session "$1" >"$work/outside.log" 2>&1 &
	outside=$!
	peer_in_container pull -url http://callsemu:1473 -session "$1" || status=$?
	wait "$outside" || status=$?
	cat "$work/outside.log"
	return "$status"
}

# firefox_outside: Firefox never uses a loopback address of its own.
firefox_outside() {
	(cd e2e && CALLSEMU_URL=http://127.0.0.1:1473 node --test --test-name-pattern 'another Firefox sees' tests/firefox.test.js) | tee "$work/firefox.log" &&
		grep -q '^# pass 1$\|^ℹ pass 1$' "$work/firefox.log"
}

# standin is an app that has the service's names written into it.
standin() {
	"${compose[@]}" -p "$project" -f docker-compose.yml -f examples/standin/docker-compose.yml run --rm "$@" standin
}

# The recipe for CI: the options are README's own.
service_container() {
	local options address status=0
	read -r -a options < <(sed -n 's/^ *options: //p' README.md)
	[ "${#options[@]}" -ge 8 ] || { echo "README.md has no options for a service container"; return 1; }
	docker network create "$project-ci" &&
		service=$(docker run -d --network "$project-ci" --network-alias callsemu "${options[@]}" \
			--env CALLSEMU_HTTPS=0.0.0.0:443 --env CALLSEMU_HTTP=0.0.0.0:80 callsemu) || return
	address=$(docker inspect -f '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$service")
	wait_for "$health_wait" curl -sSf -o "$work/service-ca.pem" "http://$address:1473/_emu/ca.pem" || status=$?
	docker run --rm --network "$project-ci" --volume "$work/service-ca.pem:/ca.pem:ro" --env SSL_CERT_FILE=/ca.pem callsemu-standin || status=$?
	[ "$status" -eq 0 ] || docker logs --tail 40 "$service"
	end_service
	return "$status"
}

end_service() {
	[ -z "$service" ] || docker rm -f "$service" >/dev/null
	service=
	docker network rm "$project-ci" >/dev/null 2>&1 || true
}

same_ca() {
	"${compose[@]}" -p "$project" up -d --no-build --force-recreate
	container=$("${compose[@]}" -p "$project" ps -q callsemu)
	wait_for "$health_wait" healthy
	docker exec "$container" /callsemu ca | cmp - "$work/ca.pem"
}

# conformance runs every case from outside. Adapters find the suite's endpoint by the name that the compose file gives this machine.
conformance() {
	CGO_ENABLED=0 go build -o "$work/callsemu" ./cmd/callsemu &&
		"$work/callsemu" conformance --base-url http://127.0.0.1:1473/v1 --app-id conformance --app-secret of-compose-test \
			--turn-key-id conformance --turn-key-token of-compose-test \
			--endpoint-url ws://host.docker.internal:9473 --endpoint-listen 0.0.0.0:9473
}

if [ "$what" = conformance ]; then # an app and a TURN key whose secrets the emulator checks
	export CALLSEMU_APP=conformance:of-compose-test CALLSEMU_TURN_KEY=conformance:of-compose-test
fi

# try_compose COMPOSE...: one implementation of compose, from up to down.
try_compose() {
	log "--- $*"
	compose=("$@")
	"$@" -p "$project" up -d --no-build
	container=$("$@" -p "$project" ps -q callsemu)
	step "$1: the container's health check passes" wait_for "$health_wait" healthy
	if [ "$what" = conformance ]; then
		step "$1: the conformance suite" conformance
		end_compose
		return
	fi
	step "$1: ports are published on 127.0.0.1 only" published_on_loopback_only

	"$work/peer/composepeer" publish -only 127.0.0.1 >"$work/session" 2>"$work/publisher.log" &
	publisher=$!
	step "$1: publish from outside through the published port" wait_for 30 publisher_says_session
	local session network=${project}_default
	session=$(cat "$work/session")
	step "$1: pull from outside, UDP" peer_outside pull -session "$session" -only 127.0.0.1
	step "$1: pull from outside, TCP" peer_outside pull -session "$session" -only 127.0.0.1 -tcp
	step "$1: pull from outside, any candidate" peer_outside pull -session "$session"
	step "$1: pull from a second container" peer_in_container pull -url http://callsemu:1473 -session "$session"
	step "$1: pull from a second container, TCP" peer_in_container pull -url http://callsemu:1473 -session "$session" -tcp
	step "$1: the container gives its CA" give_ca
	step "$1: pull from a second container, HTTPS" trusting_peer "$network" pull -url https://callsemu:1473 -session "$session"
	step "$1: pull from outside and from a second container at once" at_once "$session"
	local over
	for over in udp tcp tls; do
		step "$1: pull from outside, TURN over $over" trusting_peer_outside pull -session "$session" -relay "$over"
		step "$1: pull from a second container, TURN over $over under the real names" \
			trusting_peer "$network" pull -url https://rtc.live.cloudflare.com -session "$session" -relay "$over"
	done
	step "$1: callsemu doctor outside" "$work/callsemu" doctor --ca-file "$work/ca.pem"
	step "$1: callsemu doctor in the container" docker exec "$container" /callsemu doctor --ca-file /state/ca.pem
	stop_publisher
	step "$1: Firefox outside publishes, another one plays" firefox_outside
	step "$1: an app with the real names written into it, the CA trusted" standin
	if standin -e SSL_CERT_FILE=/none >"$work/untrusted.log" 2>&1; then
		step "$1: the same app without the CA is refused" false
	else
		step "$1: the same app without the CA is refused" grep 'certificate signed by unknown authority' "$work/untrusted.log"
	fi
	step "$1: a new container has the same CA" same_ca
	step "$1: SIGTERM ends the container with status 0" stops_cleanly
	end_compose
}

# end_compose says what there is to say of failures, and takes all down.
end_compose() {
	if [ "$failed" -gt 0 ]; then
		if [ -e "$work/publisher.log" ]; then
			log "--- the publisher said"
			cat "$work/publisher.log" >&2
		fi
		log "--- the container said"
		docker logs --tail 40 "$container" >&2
	fi
	take_down
}

take_down() {
	stop_publisher
	end_service
	[ ${#compose[@]} -eq 0 ] || "${compose[@]}" -p "$project" down -t 5 -v
	compose=()
}

cleanup() {
	take_down
	[ -n "${COMPOSE_TEST_WORK:-}" ] || rm -rf "$work" # else it belongs to own_engine
}

stop_publisher() {
	[ -z "$publisher" ] || kill "$publisher" 2>/dev/null || true
	publisher=
}

if [ -n "$work" ]; then
	wait_for "$engine_wait" docker info || { log "the engine did not start:"; tail -20 "$work/dockerd.log" >&2; exit 1; }
elif docker info >/dev/null 2>&1; then
	prepare
	work=$(mktemp -d)
else
	own_engine
fi

trap cleanup EXIT
base_there=no
! find_base || base_there=yes
step "the image builds" build_image callsemu Dockerfile ./cmd/callsemu
step "the example app's image builds" build_image callsemu-standin examples/standin/Dockerfile ./examples/standin
step "the test's clients build" build_clients
[ "$failed" -eq 0 ] || exit 1

step "a service container for CI, as README has it" service_container

composes=0
if docker compose version >/dev/null 2>&1; then
	composes=$((composes + 1))
	try_compose docker compose
fi
if command -v docker-compose >/dev/null; then
	composes=$((composes + 1))
	try_compose docker-compose
fi
[ "$composes" -gt 0 ] || { log "neither docker compose nor docker-compose is installed"; exit 1; }

echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
