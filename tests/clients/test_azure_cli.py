"""azure-cli: `az rest`, and `az login` with what comes after it."""

from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING

import pytest

from client_runs import check, every_job
from commands import environment as clean
from graphtape.runner.command import environment
from known_clients import AZ, azure_cli
from proxies import recording, replaying

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from client_jobs import Job
    from client_runs import Phase, Scheme
    from proxies import Running


@every_job(AZ)
def test_azure_cli_does_every_job(scheme: Scheme, phase: Phase, job: Job) -> None:
    check(AZ, scheme, phase, job)


pytestmark = pytest.mark.timeout(900)
SIGN_IN = (
    *("login", "--service-principal", "--username", "99999999-2222-4333-8444-555555555555"),
    *("--password", "not-a-real-secret", "--tenant", "11111111-2222-4333-8444-555555555555"),
)


def signed_in(proxy: Running, folder: Path) -> Callable[..., object]:
    """Register the proxy as a cloud, and sign in there; return what runs a command."""
    variables = {
        "AZURE_CONFIG_DIR": str(folder / "az"),
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "AZURE_CORE_COLLECT_TELEMETRY": "no",
        "AZURE_CORE_ONLY_SHOW_ERRORS": "yes",
    }
    env = environment(clean(**variables), proxy.proxy.addresses)

    def az(*words: str) -> object:
        done = subprocess.run(
            [str(azure_cli()), *words],
            env=env,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout) if done.stdout.strip() else None

    endpoints = ("active-directory", "resource-manager", "microsoft-graph-resource-id")
    at = [word for name in endpoints for word in (f"--endpoint-{name}", proxy.url)]
    # It fails without this one, though nothing of it is asked.
    at += ["--endpoint-active-directory-resource-id", "https://management.core.windows.net/"]
    az("cloud", "register", "--name", "graphtape", "--skip-endpoint-discovery", *at)
    az("cloud", "set", "--name", "graphtape")
    az(*SIGN_IN)
    return az


def test_az_signs_in_lists_users_and_sends_its_token_itself(tmp_path: Path) -> None:
    cassette = tmp_path / "tape.yaml"
    me = ("rest", "--query", "displayName", "--url")

    def used(proxy: Running, folder: Path) -> tuple[object, object]:
        az = signed_in(proxy, folder)
        users = az("ad", "user", "list", "--query", "length(@)")
        return users, az(*me, f"{proxy.url}/beta/me")

    with recording(cassette, upstream="sandbox", tls=True) as proxy:
        assert used(proxy, tmp_path / "recorded") == (7, "Megan Bowen")
    with replaying(cassette, tls=True) as proxy:
        assert used(proxy, tmp_path / "replayed") == (7, "Megan Bowen")
        assert {entry.source for entry in proxy.entries} == {"injected", "replayed"}
