"""What a client asks of an authority before it signs in."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from graphtape.core.graph.local_url import split_session
from graphtape.core.signin.fault import missing
from graphtape.core.signin.reply import reply

if TYPE_CHECKING:
    from graphtape.core.matching.body import Json
    from graphtape.core.message import Response
    from graphtape.core.signin.ask import Ask


def configuration(ask: Ask) -> Response:
    """Describe the authority (OpenID Connect Discovery, section 3).

    Every endpoint is this proxy's, of the same session.
    """
    tenant = f"{ask.base}/{ask.place.tenant}"
    oauth = f"{tenant}/oauth2" + ("/v2.0" if ask.place.two else "")
    keys = f"{tenant}/discovery{'/v2.0' if ask.place.two else ''}/keys"
    fields: dict[str, Json] = {
        "token_endpoint": f"{oauth}/token",
        "token_endpoint_auth_methods_supported": [
            "client_secret_post",
            "private_key_jwt",
            "client_secret_basic",
        ],
        "jwks_uri": keys,
        "response_modes_supported": ["query", "fragment", "form_post"],
        "subject_types_supported": ["pairwise"],
        "id_token_signing_alg_values_supported": ["RS256"],
        "response_types_supported": ["code", "id_token", "code id_token"],
        "scopes_supported": ["openid", "profile", "email", "offline_access"],
        "issuer": ask.issuer,
        "authorization_endpoint": f"{oauth}/authorize",
        "device_authorization_endpoint": f"{oauth}/devicecode",
        "http_logout_supported": True,
        "frontchannel_logout_supported": True,
        "end_session_endpoint": f"{oauth}/logout",
        "claims_supported": ["sub", "iss", "aud", "exp", "iat", "nonce", "tid", "ver", "name"],
        "tenant_region_scope": None,
        "cloud_instance_name": urlsplit(ask.base).netloc,
        "msgraph_host": urlsplit(ask.graph).netloc,
    }
    return _json(ask, fields)


def keys(ask: Ask) -> Response:
    """Return the keys that are published, if any.

    None of them is an access token's: that can't be verified, and must not seem to be.
    """
    return _json(ask, {"keys": [dict(each) for each in ask.terms.keys]})


def instance(ask: Ask) -> Response:
    """Say where an authority describes itself; it knows itself alone."""
    asked = ask.fields.get("authorization_endpoint")
    if asked is None:
        return missing("authorization_endpoint").answer(ask.request, now=ask.now)
    host = urlsplit(ask.base).netloc
    fields: dict[str, Json] = {
        "tenant_discovery_endpoint": f"{ask.base}/{_tenant(asked)}"
        "/v2.0/.well-known/openid-configuration",
        "api-version": ask.fields.get("api-version", "1.1"),
        "metadata": [{"preferred_network": host, "preferred_cache": host, "aliases": [host]}],
    }
    return _json(ask, fields)


def _tenant(endpoint: str) -> str:
    """Return the tenant of an authorization endpoint, whatever session stands before it."""
    path = "/" + endpoint.partition("://")[2].partition("/")[2]
    name = split_session(path)[1].lstrip("/").partition("/")[0]
    return name.partition("?")[0] or "common"


def realm(ask: Ask) -> Response:
    """Say where a user signs in: here, never at a federated server."""
    user = ask.place.rest
    fields: dict[str, Json] = {
        "ver": "1.0",
        "account_type": "Managed",
        "domain_name": user.rpartition("@")[2],
        "cloud_instance_name": urlsplit(ask.base).netloc,
        "cloud_audience_urn": "urn:federation:MicrosoftOnline",
    }
    return _json(ask, fields)


def _json(ask: Ask, fields: dict[str, Json]) -> Response:
    return reply(ask.request, json.dumps(fields).encode())
