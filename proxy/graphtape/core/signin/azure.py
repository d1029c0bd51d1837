"""What Azure Resource Manager says of a tenant, as far as signing in to a command line asks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from graphtape.core.signin.reply import reply
from graphtape.core.signin.terms import DOMAIN, SUBSCRIPTION
from graphtape.core.signin.token import claims_of

if TYPE_CHECKING:
    from graphtape.core.matching.body import Json
    from graphtape.core.message import Response
    from graphtape.core.signin.ask import Ask


def subscriptions(ask: Ask) -> Response:
    """List the one subscription, or show it by its id."""
    if not ask.place.rest:
        return _list(ask, _subscription(ask))
    if ask.place.rest.lower() == SUBSCRIPTION:
        return reply(ask.request, json.dumps(_subscription(ask)).encode())
    message = f"The subscription '{ask.place.rest}' could not be found."
    error = {"error": {"code": "SubscriptionNotFound", "message": message}}
    return reply(ask.request, json.dumps(error).encode(), status=404)


def tenants(ask: Ask) -> Response:
    """List the one tenant: the token's own."""
    tenant = _tenant(ask)
    fields: dict[str, Json] = {
        "id": f"/tenants/{tenant}",
        "tenantId": tenant,
        "countryCode": "US",
        "displayName": "Contoso (fake)",
        "domains": [DOMAIN],
        "defaultDomain": DOMAIN,
        "tenantCategory": "Home",
        "tenantType": "AAD",
    }
    return _list(ask, fields)


def _tenant(ask: Ask) -> str:
    """Return the tenant a token is for: a client that signed in to one must find it here."""
    value = ask.request.headers.get("Authorization") or ""
    claims = claims_of(value.partition(" ")[2].strip())
    tenant = claims.get("tid") if claims is not None else None
    return tenant if isinstance(tenant, str) else ask.terms.tenant


def _subscription(ask: Ask) -> dict[str, Json]:
    return {
        "id": f"/subscriptions/{SUBSCRIPTION}",
        "authorizationSource": "RoleBased",
        "managedByTenants": [],
        "subscriptionId": SUBSCRIPTION,
        "tenantId": _tenant(ask),
        "displayName": "Graphtape (fake)",
        "state": "Enabled",
        "subscriptionPolicies": {
            "locationPlacementId": "Public_2014-09-01",
            "quotaId": "PayAsYouGo_2014-09-01",
            "spendingLimit": "Off",
        },
    }


def _list(ask: Ask, item: dict[str, Json]) -> Response:
    fields = {"value": [item], "count": {"type": "Total", "value": 1}}
    return reply(ask.request, json.dumps(fields).encode())
