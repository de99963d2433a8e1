#!/usr/bin/env bash
# Sees to it that the machine has what a task needs: tools.sh {gcc|node|browsers|ffmpeg|network|docker}...
# What is missing is installed with apt where that can be done unasked (as root on Debian or a
# relative of it); elsewhere the script stops with the exact command to run.
set -euo pipefail

missing=()

have() { command -v "$1" >/dev/null 2>&1; }

# The browser tests look for the same names, and for CHROME_PATH and FIREFOX_PATH.
found_chromium() {
	have "${CHROME_PATH:-chromium}" || have chromium-browser || have google-chrome || have google-chrome-stable
}

found_firefox() { have "${FIREFOX_PATH:-firefox-esr}" || have firefox; }

for need in "$@"; do
	case $need in
	gcc) # the race detector is written in C
		have gcc || have cc || missing+=(gcc libc6-dev)
		;;
	node)
		have node || missing+=(nodejs)
		have npm || missing+=(npm)
		;;
	browsers)
		found_chromium || missing+=(chromium)
		found_firefox || missing+=(firefox-esr)
		have certutil || missing+=(libnss3-tools) # by which Chromium is made to trust a CA
		;;
	ffmpeg) # decodes pictures of VP9, H.264 and H.265, and makes the video of tests
		have ffmpeg || missing+=(ffmpeg)
		;;
	network) # namespaces, and a firewall in one of them
		have ip || missing+=(iproute2)
		have iptables || [ -x /usr/sbin/iptables ] || missing+=(iptables)
		have curl || missing+=(curl)
		;;
	docker)
		have docker && { have dockerd || docker info; } >/dev/null 2>&1 || missing+=(docker.io iptables)
		have docker-compose || docker compose version >/dev/null 2>&1 || missing+=(docker-compose)
		;;
	*)
		echo "tools.sh: unknown need: $need" >&2
		exit 2
		;;
	esac
done

[ ${#missing[@]} -gt 0 ] || exit 0

command="apt-get install -y --no-install-recommends ${missing[*]}"
if ! have apt-get; then
	printf '%s\n' "Not installed here: ${missing[*]} (Debian's names). Install them with your system's package manager" \
		"and run this again. Browsers that are not on the PATH are named by CHROME_PATH and FIREFOX_PATH." >&2
	exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
	printf 'Not installed here: %s. Run this, then try again:\n  sudo apt-get update && sudo %s\n' "${missing[*]}" "$command" >&2
	exit 1
fi

echo "installing ${missing[*]}"
export DEBIAN_FRONTEND=noninteractive
apt-get update -qq
# shellcheck disable=SC2086 # the command is a list of words
$command -qq >/dev/null
