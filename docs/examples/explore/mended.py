"""Disconnects a tenant from ChromeOS device management, and survives or tells what goes wrong."""

import email.utils
import http.client
import json
import os
import sys
import time
import urllib.error
import urllib.request

ROOT = f"{os.environ['GRAPH_BASE_URL']}/beta/deviceManagement/chromeOSOnboardingSettings"
HEADERS = {"Authorization": "Bearer fake", "Accept": "application/json"}
ON_THE_WAY = {"onboarded", "inprogress", "offboarding"}


def seconds_of(retry_after):
    """Read a Retry-After in either of its forms."""
    if retry_after.isdigit():
        return int(retry_after)
    moment = email.utils.parsedate_to_datetime(retry_after)
    return max(0.0, moment.timestamp() - time.time())


def ask(method, path):
    """Return the JSON that Graph answers."""
    for attempt in range(4):
        try:
            request = urllib.request.Request(ROOT + path, method=method, headers=HEADERS)
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            told = error.headers.get("Retry-After")
            if error.code not in {429, 503} or attempt == 3:
                raise
            time.sleep(seconds_of(told) if told else 2**attempt)
        except (OSError, ValueError, http.client.HTTPException):
            if method != "GET" or attempt == 3:
                raise  # nobody knows whether the write took effect
            time.sleep(0.2)


def disconnect():
    """Return the status that the tenant ends in."""
    print("disconnect:", ask("POST", "/disconnect")["value"])
    for _ in range(20):
        status = ask("GET", "/7")["onboardingStatus"]
        if status not in ON_THE_WAY:
            return status
        time.sleep(0.05)
    raise TimeoutError(f"still {status} after 20 looks")


try:
    status = disconnect()
except (OSError, ValueError, http.client.HTTPException) as error:
    sys.exit(f"disconnect failed: {error}")
print("status:", status)
if status != "unknown":
    sys.exit(f"the tenant is {status}, not disconnected")
