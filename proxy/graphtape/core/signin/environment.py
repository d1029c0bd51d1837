"""What a command's environment says of the authority, so that it signs in without secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphtape.core.signin.terms import CLIENT, SECRET, TENANT

if TYPE_CHECKING:
    from collections.abc import Mapping


def credentials(inherited: Mapping[str, str], *, authority: str | None) -> dict[str, str]:
    """Return the variables that Azure's SDKs read, to be set over those inherited.

    The authority is this proxy whatever was inherited; who signs in is the user's where he says
    so: recorded URLs may name his tenant.

    Args:
        inherited: What the command would have without a proxy.
        authority: The proxy's https address, session prefix included; None where it can't be
            one, as behind tunnels, where the real one's name leads to the proxy.
    """
    fake = {
        "AZURE_TENANT_ID": TENANT,
        "AZURE_CLIENT_ID": CLIENT,
        "AZURE_CLIENT_SECRET": SECRET,
    }
    unset = {name: value for name, value in fake.items() if not inherited.get(name)}
    return unset if authority is None else {"AZURE_AUTHORITY_HOST": authority, **unset}
