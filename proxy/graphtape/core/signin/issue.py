"""Tokens, as the authority issues them to an app or to a user of one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from graphtape.core.signin.scope import DEFAULT, Scope
from graphtape.core.signin.terms import guid_of
from graphtape.core.signin.token import fake_token, packed, sealed

if TYPE_CHECKING:
    from graphtape.core.matching.body import Json
    from graphtape.core.signin.ask import Ask

_NAME = "Graphtape (fake)"


def to_app(ask: Ask, scope: Scope) -> dict[str, Json]:
    """Issue an app-only token; it has `roles`, and nothing to refresh it by."""
    oid = guid_of(f"service principal {ask.client}")
    claims = _claims(ask, scope) | {"idtyp": "app", "oid": oid, "sub": oid}
    if scope.is_for_graph(ask.base):
        claims["roles"] = [*ask.terms.roles]
    return _issued(ask, scope, claims)


def to_user(ask: Ask, scope: Scope, *, user: str, nonce: str = "") -> dict[str, Json]:
    """Issue a delegated token; it has `scp`."""
    claims = _claims(ask, scope) | _person(user) | {"idtyp": "user", "upn": user}
    claims["scp"] = " ".join([*_granted(ask, scope), *sorted(scope.open_id - {"offline_access"})])
    fields = _issued(ask, scope, claims)
    if ask.place.two:
        fields["scope"] = _scope_granted(ask, scope)
    if "offline_access" in scope.open_id:
        fields["refresh_token"] = sealed(
            "refresh-token", {"scope": scope.text, "resource": scope.resource, "user": user}
        )
    if "openid" in scope.open_id:
        fields["id_token"] = id_token(ask, user=user, nonce=nonce)
    if ask.fields.get("client_info"):
        fields["client_info"] = client_info(ask, user)
    return fields


def id_token(ask: Ask, *, user: str, nonce: str) -> str:
    """Issue what tells an app who has signed in (OpenID Connect Core, section 2)."""
    claims = _times(ask) | _person(user) | {"aud": ask.client_or_fake, "iss": ask.issuer}
    claims |= {"tid": ask.tenant, "ver": _version(ask)}
    if not ask.place.two:
        claims["upn"] = user
    if nonce:
        claims["nonce"] = nonce
    return fake_token(claims)


def client_info(ask: Ask, user: str) -> str:
    """Say which account this is, as MSAL keeps it in its cache."""
    return packed({"uid": _oid(user), "utid": ask.tenant})


def _oid(user: str) -> str:
    return guid_of(f"user {user}")


def _person(user: str) -> dict[str, Json]:
    name = user.partition("@")[0].replace(".", " ").title()
    oid = _oid(user)
    return {"name": name, "preferred_username": user, "unique_name": user, "oid": oid, "sub": oid}


def _times(ask: Ask) -> dict[str, Json]:
    now = int(ask.now)
    return {"iat": now, "nbf": now, "exp": now + ask.terms.lifetime}


def _version(ask: Ask) -> str:
    return "2.0" if ask.place.two else "1.0"


def _claims(ask: Ask, scope: Scope) -> dict[str, Json]:
    # An SDK pointed at the proxy may ask for the proxy's own host: it means Graph.
    own = scope.is_for_graph(ask.base) and ask.base.startswith(scope.resource.rstrip("/"))
    audience = ask.graph if own else scope.resource
    return _times(ask) | {
        "aud": audience,
        "iss": ask.issuer,
        "app_displayname": _NAME,
        "appid": ask.client_or_fake,
        "azp": ask.client_or_fake,
        "appidacr": "1" if ask.proves_client else "0",
        "tid": ask.tenant,
        "ver": _version(ask),
    }


def _granted(ask: Ask, scope: Scope) -> tuple[str, ...]:
    if not scope.is_default:
        return scope.names
    return ask.terms.scopes if scope.is_for_graph(ask.base) else ("user_impersonation",)


def _scope_granted(ask: Ask, scope: Scope) -> str:
    """Say what was granted, in the spelling it was asked in: MSAL's cache compares texts."""
    asked = [entry for entry in scope.text.split() if entry != "offline_access"]
    if scope.is_default:
        named = any(entry.endswith("/" + DEFAULT) for entry in asked)
        prefix = f"{scope.resource}/" if named else ""
        asked += [prefix + name for name in _granted(ask, scope)]
    return " ".join(dict.fromkeys(asked))


def _issued(ask: Ask, scope: Scope, claims: dict[str, Json]) -> dict[str, Json]:
    lifetime, now = ask.terms.lifetime, int(ask.now)
    token: dict[str, Json] = {"token_type": "Bearer", "access_token": fake_token(claims)}
    if ask.place.two:
        return token | {"expires_in": lifetime, "ext_expires_in": lifetime}
    # The first version writes its numbers as texts.
    return token | {
        "expires_in": str(lifetime),
        "ext_expires_in": str(lifetime),
        "expires_on": str(now + lifetime),
        "not_before": str(now),
        "resource": scope.resource,
    }
