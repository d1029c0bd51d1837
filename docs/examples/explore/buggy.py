"""Disconnects a tenant from ChromeOS device management, with four bugs that a good day hides."""

import http.client
import json
import os
import time
import urllib.error
import urllib.request

ROOT = f"{os.environ['GRAPH_BASE_URL']}/beta/deviceManagement/chromeOSOnboardingSettings"
HEADERS = {"Authorization": "Bearer fake", "Accept": "application/json"}


def ask(method, path):
    """Return the JSON that Graph answers."""
    for _ in range(3):
        try:
            request = urllib.request.Request(ROOT + path, method=method, headers=HEADERS)
            with urllib.request.urlopen(request, timeout=5) as answer:
                return json.load(answer)
        except urllib.error.HTTPError as error:
            if error.code not in {429, 503}:
                raise
            time.sleep(0.2)  # Bug: comes back before Retry-After
        except (OSError, ValueError, http.client.HTTPException):
            time.sleep(0.2)  # Bug: repeats a write whose answer was lost
    raise OSError("gave up after three tries")


try:
    print("disconnect:", ask("POST", "/disconnect")["value"])
    while (status := ask("GET", "/7")["onboardingStatus"]) not in {"unknown", "failed"}:
        time.sleep(0.05)  # Bug: has no end at a status that it doesn't know
    print("status:", status)
except OSError:
    pass  # Bug: exits with 0, whatever went wrong
