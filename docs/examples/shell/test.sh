#!/bin/sh
# Tests of a shell script that uses curl: offline, with one cassette.
#
# Run them:                  ./test.sh
# Record the cassette anew:  ./test.sh record
set -eu
cd "$(dirname "$0")"
export GRAPH_TOKEN=not-a-real-token PAUSE=0 POLLS=5
tape=cassettes/disconnect.yaml

if [ "${1:-}" = record ]; then
    exec graphtape record "$tape" --mode all --upstream sandbox -- ./offboard.sh
fi

out=$(mktemp)
trap 'rm -f "$out"' EXIT

# expect CODE LINE [OPTION…]: offboard.sh ends with CODE and says LINE where the tape is played so.
expect() {
    code=$1 line=$2
    shift 2
    got=0
    graphtape replay "$tape" "$@" -- ./offboard.sh >"$out" 2>&1 || got=$?
    if [ "$got" -ne "$code" ] || ! grep -qxF -- "$line" "$out"; then
        echo "FAILED ${*:-as recorded}: exit code $got, not $code; or it doesn't say: $line" >&2
        cat "$out" >&2
        exit 1
    fi
    echo "ok ${*:-as recorded}"
}

expect 0 'poll 3: unknown unknown unknown' --fail-on-unused
expect 10 "Intune didn't take the disconnect" --status failed
expect 11 'the disconnect was taken, and failed later' --scenario late-failure
expect 12 'not done after 5 polls' --scenario stuck-offboarding
expect 0 'poll 3: unknown unknown unknown' --scenario throttled --fail-on early-retry,no-retry
expect 22 'curl: (22) The requested URL returned error: 403' --scenario forbidden
