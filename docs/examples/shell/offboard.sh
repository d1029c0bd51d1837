#!/bin/sh
# The app under test: it disconnects a tenant from ChromeOS, with curl.
#
#   GRAPH_BASE_URL   https://graph.microsoft.com, or what stands in for it
#   GRAPH_TOKEN      with DeviceManagementConfiguration.ReadWrite.All
#   PAUSE, POLLS     seconds between two polls, and how many of them
set -eu
settings=${GRAPH_BASE_URL:-https://graph.microsoft.com}/beta/deviceManagement/chromeOSOnboardingSettings

# --retry repeats what Graph throttles, and waits as long as Retry-After says.
graph() { curl -fsS --max-time 60 --retry 3 -H "Authorization: Bearer $GRAPH_TOKEN" "$@"; }

# Space outside of the values means nothing, and none of these values holds any.
compact() { printf '%s' "$1" | tr -d '[:space:]'; }

answer=$(graph -X POST "$settings/disconnect")
case $(compact "$answer") in
*'"value":"failed"'*)
    echo "Intune didn't take the disconnect" >&2
    exit 10
    ;;
esac

poll=0
while [ "$poll" -lt "${POLLS:-30}" ]; do
    poll=$((poll + 1))
    answer=$(graph "$settings")
    statuses=$(compact "$answer" | tr , '\n' | sed -n 's/.*"onboardingStatus":"\([^"]*\)".*/\1/p')
    echo "poll $poll: $(printf '%s' "$statuses" | tr '\n' ' ')"
    case $statuses in
    *failed*)
        echo "the disconnect was taken, and failed later" >&2
        exit 11
        ;;
    esac
    if ! printf '%s\n' "$statuses" | grep -qvx unknown; then exit 0; fi
    sleep "${PAUSE:-10}"
done
echo "not done after $poll polls" >&2
exit 12
