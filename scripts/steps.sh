# shellcheck shell=bash
# For scripts that prove things one by one; read by them with the work directory in $work.

passed=0
failed=0

log() { printf '%s\n' "$*" >&2; }

# step NAME COMMAND...: counts what passed and what failed. (A function called here is not stopped by set -e.)
step() {
	local name=$1
	shift
	if "$@" >"$work/step.log" 2>&1; then
		passed=$((passed + 1))
		echo "ok: $name"
		tail -n 1 "$work/step.log" | sed 's/^/    /'
	else
		failed=$((failed + 1))
		echo "FAILED: $name"
		sed 's/^/    /' "$work/step.log"
	fi
}
