#!/usr/bin/env bash
# Proves HTTPS with the clients that are on this machine: each does what "callsemu env" prints, against an emulator with a new
# CA, and under the names of the service, which lead here by /etc/hosts as they do on a laptop. Then another start asks for one more
# name, and clients that come after it reach the first one still. At last it shows that the CA is good for nothing else. A client
# that is not installed is named and left out.
#
# It runs in a mount and network namespace of its own, so that /etc/hosts and the network of the machine stay as they are.
# Where there are none, it leaves out what needs them.
set -euo pipefail
cd "$(dirname "$0")/.."

passed=0
failed=0
work=${TLS_TEST_WORK:-}

have() { command -v "$1" >/dev/null 2>&1; }

# check NAME COMMAND...: the command has to succeed. (A function called here is not stopped by set -e.)
check() {
	local name=$1
	shift
	if "$@" >"$work/check.log" 2>&1; then
		passed=$((passed + 1))
		echo "ok: $name"
	else
		failed=$((failed + 1))
		echo "FAILED: $name"
		sed 's/^/    /' "$work/check.log"
	fi
}

fails() { ! "$@"; }

# prepare builds what needs a network or a cache, and starts this script again inside the namespaces.
prepare() {
	work=$(mktemp -d)
	trap 'rm -rf "$work"' EXIT
	CGO_ENABLED=0 go build -o "$work/callsemu" ./cmd/callsemu
	cat >"$work/client.go" <<-'GO'
		package main

		import (
			"fmt"
			"io"
			"net/http"
			"os"
		)

		func main() {
			req, _ := http.NewRequest("POST", os.Args[1]+"/apps/my-app/sessions/new", nil)
			req.Header.Set("Authorization", "Bearer x")
			resp, err := http.DefaultClient.Do(req)
			if err != nil {
				fmt.Println(err)
				os.Exit(1)
			}
			body, _ := io.ReadAll(resp.Body)
			fmt.Println(resp.Proto, string(body))
		}
	GO
	(cd "$work" && CGO_ENABLED=0 go build -o client client.go)
	local namespaces=(--mount --net)
	[ "$(id -u)" -eq 0 ] || namespaces+=(--map-root-user)
	if unshare "${namespaces[@]}" true 2>/dev/null; then
		TLS_TEST_WORK=$work TLS_TEST_APART=1 unshare "${namespaces[@]}" --pid --fork --kill-child -- "$BASH" scripts/tls-test.sh
	else
		echo "no namespaces here, so not checked: /etc/hosts with --https 127.0.0.1:443"
		TLS_TEST_WORK=$work "$BASH" scripts/tls-test.sh
	fi
}

start() {
	local listen=127.0.0.1:0 https=127.0.0.1:0 stun=off
	if [ -n "${TLS_TEST_APART:-}" ]; then
		ip link set lo up
		listen=127.0.0.1:1473 https=127.0.0.1:443 stun=127.0.0.1:3478
	fi
	"$work/callsemu" --listen "$listen" --https "$https" --media 127.0.0.1 --stun "$stun" --state-dir "$work/state" --tls-name calls.test \
		>"$work/start" 2>"$work/log" &
	emulator=$!
	trap 'kill "$emulator" && wait "$emulator"' EXIT
	local tries url=
	for tries in $(seq 100); do
		url=$(sed -n 's|.*base URL *\(http://.*\)/v1|\1|p' "$work/start")
		[ -z "$url" ] || break
		sleep 0.1
	done
	"$work/callsemu" wait --url "$url" --timeout 20s
	"$work/callsemu" env --url "$url" --state-dir "$work/state" --tls-name calls.test >"$work/env"
	if [ -n "${TLS_TEST_APART:-}" ]; then # the line for /etc/hosts, as it is printed
		{ cat /etc/hosts; sed -n 's/^#   \(127\.0\.0\.1 rtc\..*\)/\1/p' "$work/env"; echo 127.0.0.1 calls.test; } >"$work/hosts"
		mount --bind "$work/hosts" /etc/hosts
	fi
}

# printed SECTION: the commands that env prints below a heading, ready to run.
printed() {
	awk -v heading="# $1" 'index($0, heading) == 1 { on = 1; next } on && /^#   / { print substr($0, 5); next } on { exit }' "$work/env"
}

session() { grep '"sessionId":"[0-9a-f]\{32\}"' >/dev/null; }

# bases: the URL that env sets, the one that apps have written into them, and one with the name of --tls-name.
bases() {
	echo "$CALLS_API_URL"
	[ -z "${TLS_TEST_APART:-}" ] || printf '%s\n' https://rtc.live.cloudflare.com/v1 https://calls.test/v1
}

curl_reaches() {
	curl -fsS -X POST -H 'Authorization: Bearer x' -w 'over %{http_version}' "$1/apps/my-app/sessions/new" >"$work/answer"
	session <"$work/answer" && grep -q 'over 2$' "$work/answer"
}

curl_as_printed() { "$BASH" -c "$(printed 'curl, under the names' | tail -n 2) -fsS" | session; }

curl_account() {
	local connect
	connect=$(printed 'curl, under the names' | grep -o -- '--connect-to api[^ ]*')
	# shellcheck disable=SC2086 # two words
	curl $connect -fsS -X POST -H 'Authorization: Bearer x' -d '{"name":"tls"}' https://api.cloudflare.com/client/v4/accounts/a/calls/apps | grep '"secret"' >/dev/null
}

node_reaches() {
	node -e 'fetch(process.argv[1] + "/apps/my-app/sessions/new", { method: "POST", headers: { Authorization: "Bearer x" } })
		.then((r) => r.text()).then(console.log)' "$1" | session
}

go_reaches() { "$work/client" "$1" | tee /dev/stderr | grep '^HTTP/2.0 .*"sessionId"' >/dev/null; }

urllib_reaches() {
	python3 -c 'import sys, urllib.request as u
r = u.Request(sys.argv[1] + "/apps/my-app/sessions/new", b"", {"Authorization": "Bearer x"})
print(u.urlopen(r).read().decode())' "$1" | session
}

requests_reaches() {
	python3 -c 'import sys, requests
print(requests.post(sys.argv[1] + "/apps/my-app/sessions/new", headers={"Authorization": "Bearer x"}).text)' "$1" | session
}

java_store() { "$BASH" -c "$(printed Java | head -n 1)"; }

java_reaches() {
	cat >"$work/Client.java" <<-'JAVA'
		import java.net.URI;
		import java.net.http.*;
		public class Client {
			public static void main(String[] args) throws Exception {
				var request = HttpRequest.newBuilder(URI.create(args[0] + "/apps/my-app/sessions/new"))
					.header("Authorization", "Bearer x").POST(HttpRequest.BodyPublishers.noBody()).build();
				System.out.println(HttpClient.newHttpClient().send(request, HttpResponse.BodyHandlers.ofString()).body());
			}
		}
	JAVA
	local java
	java=$(printed Java | tail -n 1)
	"$BASH" -c "${java% ...} $work/Client.java $1" | session
}

# The page of an origin of its own calls the API; chromium has the flags that env prints, and a home where no database trusts the CA.
chromium_reaches() {
	cat >"$work/page.html" <<-'HTML'
		<script>
		fetch('https://rtc.live.cloudflare.com/v1/apps/my-app/sessions/new', { method: 'POST', headers: { Authorization: 'Bearer x' } })
			.then((r) => r.text()).then((t) => { document.title = t; }, (e) => { document.title = String(e); });
		</script>
	HTML
	local flags
	flags=$(printed 'Chromium and Chrome' | sed -n '1,2p')
	flags=${flags/#chromium/"$1"}
	mkdir -p "$work/$2-home"
	HOME=$work/$2-home TMPDIR=$work "$BASH" -c "${flags//--user-data-dir=\'*\' /--user-data-dir=$work/$2 } --headless --no-sandbox --disable-gpu \
		--virtual-time-budget=5000 --dump-dom file://$work/page.html" | tee /dev/stderr | session
}

# nss_trusts BROWSER HOME: the CA is added to the database in a home directory.
nss_trusts() {
	if ! [ -d "$2/.pki/nssdb" ]; then
		mkdir -p "$2/.pki/nssdb"
		certutil -d "sql:$2/.pki/nssdb" -N --empty-password
	fi
	HOME=$2 "$BASH" -c "$(printed 'or for good' | head -n 1)"
	HOME=$2 "$1" --user-data-dir="$2/nss" --headless --no-sandbox --disable-gpu --dump-dom "$(bases | tail -n 1 | sed 's|/v1$||')/healthz" |
		tee /dev/stderr | grep '"healthy":true' >/dev/null
}

# The page gathers candidates from the TURN server under its name, which is in /etc/hosts, and says over what. As long as it does, the
# body of a request stays open: Chromium's virtual time stands still then. (Whether the names with a dot are there makes no difference
# in a network without DNS; the browser tests need them.)
chromium_relays() {
	cat >"$work/relays.html" <<-'HTML'
		<script type="module">
		const base = 'https://rtc.live.cloudflare.com/v1';
		const headers = { Authorization: 'Bearer x' };
		let end;
		const body = new ReadableStream({ start: (stream) => { end = () => stream.close(); } });
		const open = fetch(`${base}/apps/my-app/sessions/new`, { method: 'POST', headers, body, duplex: 'half' });
		const made = await fetch(`${base}/turn/keys/my-key/credentials/generate`, { method: 'POST', headers, body: '{"ttl":60}' });
		const { username, credential } = (await made.json()).iceServers;
		const urls = ['turn:turn.cloudflare.com:3478?transport=udp', 'turn:turn.cloudflare.com:3478?transport=tcp',
			'turns:turn.cloudflare.com:5349?transport=tcp'];
		const pc = new RTCPeerConnection({ iceServers: [{ urls, username, credential }], iceTransportPolicy: 'relay' });
		const found = new Set();
		pc.onicecandidate = ({ candidate }) => {
			if (candidate) return found.add(candidate.url);
			document.title = urls.every((url) => found.has(url)) ? 'relays over all' : `relays over ${[...found]}`;
			end();
		};
		pc.createDataChannel('any');
		await pc.setLocalDescription();
		await open;
		</script>
	HTML
	HOME=$work "$1" --user-data-dir="$work/nss" --headless --no-sandbox --disable-gpu --virtual-time-budget=5000 --dump-dom \
		"file://$work/relays.html" | tee /dev/stderr | grep 'relays over all' >/dev/null
}

clients() {
	local base browser
	for base in $(bases); do
		! have curl || check "curl $base, HTTP/2" curl_reaches "$base"
		! have node || check "Node.js $base" node_reaches "$base"
		check "Go $base, HTTP/2" go_reaches "$base"
		! have python3 || check "Python urllib $base" urllib_reaches "$base"
		if have python3 && python3 -c 'import requests' 2>/dev/null; then check "Python requests $base" requests_reaches "$base"; fi
	done
	if have curl; then
		check "curl as printed" curl_as_printed
		check "the account API under its own name" curl_account
	fi
	if have java && have keytool; then
		check "keytool as printed" java_store
		for base in $(bases); do check "Java $base" java_reaches "$base"; done
	fi
	for browser in chromium chromium-browser google-chrome; do
		have "$browser" || continue
		check "$browser with the flags as printed" chromium_reaches "$browser" flagged
		! have certutil || check "$browser trusting the CA in NSS" nss_trusts "$browser" "$work"
		[ -z "${TLS_TEST_APART:-}" ] || ! have certutil || check "$browser relays under the names in /etc/hosts" chromium_relays "$browser"
		break
	done
	for browser in curl node python3 java chromium certutil; do
		have "$browser" || echo "not installed, so not checked: $browser"
	done
}

# another NAME OPTION...: callsemu with the same CA, until it is up; it asks for a name that the CA lacks.
another() {
	local name=$1
	shift
	"$work/callsemu" --listen 127.0.0.1:0 --media 127.0.0.1 --stun off --state-dir "$work/state" --tls-name "$name" \
		>"$work/another" 2>"$work/another.log" &
	local other=$! tries url status=1
	for tries in $(seq 100); do
		url=$(sed -n 's|.*base URL *\(http://.*\)/v1|\1|p' "$work/another")
		if [ -n "$url" ]; then
			status=0
			"$@" "${url/#http:/https:}" || status=$?
			break
		fi
		sleep 0.1
	done
	kill "$other"
	wait "$other" 2>/dev/null || true
	return "$status"
}

ready() { "$work/callsemu" wait --state-dir "$work/state" --timeout 20s --url "$1"; }

bundle_reaches() { curl -fsS --cacert "$work/state/bundle.pem" "$1/healthz"; }

changed() { ! cmp "$work/former.pem" "$work/state/ca.pem"; }

# renewed: the emulator that runs has its certificate from a former one of the CA; clients that come now trust the new one.
renewed() {
	local base browser
	base=$(bases | head -n 1)
	cp "$work/state/ca.pem" "$work/former.pem"
	check "env of a name that the CA lacks is refused" fails "$work/callsemu" env --state-dir "$work/state" --tls-name other.test
	check "and changes nothing" fails changed
	check "another start asks for a name, and is trusted" another other.test ready
	check "and the CA has a new certificate" changed
	! have curl || check "a bundle that was there follows" another more.test bundle_reaches
	eval "$("$work/callsemu" env --url "${base%/v1}" --state-dir "$work/state" | tee "$work/env")"
	! have curl || check "curl trusts the one that runs" curl_reaches "$base"
	! have node || check "Node.js trusts the one that runs" node_reaches "$base"
	check "Go trusts the one that runs" go_reaches "$base"
	! have python3 || check "Python trusts the one that runs" urllib_reaches "$base"
	if have java && have keytool; then
		check "keytool as printed, once more" java_store
		check "Java trusts the one that runs" java_reaches "$base"
	fi
	for browser in chromium chromium-browser google-chrome; do
		have "$browser" || continue
		check "$browser with the flags as printed trusts the one that runs" chromium_reaches "$browser" renewed
		! have certutil || check "$browser trusting the new certificate in NSS trusts the one that runs" nss_trusts "$browser" "$work/renewed"
		! have certutil || check "$browser trusting both does" nss_trusts "$browser" "$work"
		break
	done
}

# forge NAME SAN: a certificate that the CA's key signs for a name, whatever the CA's constraints say.
forge() {
	openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$work/$1.key" -out "$work/$1.csr" -subj "/O=forged" 2>/dev/null
	openssl x509 -req -in "$work/$1.csr" -CA "$work/state/ca.pem" -CAkey "$work/state/ca-key.pem" -days 30 -out "$work/$1.pem" \
		-extfile <(printf 'subjectAltName=%s\nextendedKeyUsage=serverAuth' "$2") 2>/dev/null
}

# refused COMMAND...: the command is refused, and because of the CA's constraints.
refused() {
	! "$@" >"$work/refusal" 2>&1
	cat "$work/refusal"
	grep -q 'subtree violation' "$work/refusal"
}

openssl_trusts() { openssl verify -CAfile "$work/state/ca.pem" -purpose sslserver "$work/$1.pem"; }

# curl_trusts NAME HOST PORT: curl, which trusts the CA, reaches a server with the forged certificate.
curl_trusts() {
	openssl s_server -quiet -accept "127.0.0.1:$3" -cert "$work/$1.pem" -key "$work/$1.key" -www >/dev/null 2>&1 &
	local server=$! status=1 tries
	for tries in $(seq 100); do
		status=0
		curl -sS --cacert "$work/state/ca.pem" --connect-to "::127.0.0.1:$3" "https://$2/" >/dev/null || status=$?
		[ "$status" -eq 7 ] || break # nobody listens there yet
		sleep 0.05
	done
	kill "$server"
	wait "$server" 2>/dev/null || true
	[ "$tries" -lt 100 ] && return "$status"
}

constraints() {
	have openssl || { echo "not installed, so not checked: openssl"; return; }
	local name san host port=19443
	while read -r name san host verdict; do
		forge "$name" "$san"
		port=$((port + 1))
		if [ "$verdict" = good ]; then
			check "OpenSSL takes $san" openssl_trusts "$name"
			! have curl || check "curl takes $san" curl_trusts "$name" "$host" "$port"
		else
			check "OpenSSL refuses $san" refused openssl_trusts "$name"
			! have curl || check "curl refuses $san" refused curl_trusts "$name" "$host" "$port"
		fi
	done <<-'NAMES'
		own DNS:localhost localhost good
		service DNS:rtc.live.cloudflare.com rtc.live.cloudflare.com good
		private IP:10.1.2.3 10.1.2.3 good
		other DNS:example.com example.com bad
		parent DNS:cloudflare.com cloudflare.com bad
		sister DNS:www.cloudflare.com www.cloudflare.com bad
		below DNS:x.rtc.live.cloudflare.com x.rtc.live.cloudflare.com bad
		public IP:8.8.8.8 8.8.8.8 bad
	NAMES
}

if [ -z "$work" ]; then
	prepare
	exit
fi
start
# What this machine's user has set would stand in for what env prints.
unset SSL_CERT_FILE SSL_CERT_DIR CURL_CA_BUNDLE REQUESTS_CA_BUNDLE NODE_EXTRA_CA_CERTS HTTPS_PROXY https_proxy HTTP_PROXY http_proxy ALL_PROXY all_proxy
eval "$(cat "$work/env")"
clients
renewed
constraints
check "no client distrusted it" fails grep 'does not trust' "$work/log"
echo "$passed passed, $failed failed"
[ "$failed" -eq 0 ]
