"""The token endpoint: what each grant asks for, and what it gets."""

from __future__ import annotations

import enum
import json
from base64 import urlsafe_b64encode
from hashlib import sha256
from typing import TYPE_CHECKING, assert_never

from graphtape.core.signin import issue
from graphtape.core.signin.fault import Fault, missing
from graphtape.core.signin.reply import reply
from graphtape.core.signin.scope import DEFAULT, Scope
from graphtape.core.signin.token import opened, sealed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from graphtape.core.matching.body import Json
    from graphtape.core.message import Response
    from graphtape.core.signin.ask import Ask

DEVICE_SECONDS = 900
USER_CODE = "GRAPHTAPE"


class Grant(enum.StrEnum):
    """Values of `grant_type`."""

    CLIENT_CREDENTIALS = "client_credentials"
    REFRESH_TOKEN = "refresh_token"  # noqa: S105 - a name, not a token
    AUTHORIZATION_CODE = "authorization_code"
    DEVICE_CODE = "urn:ietf:params:oauth:grant-type:device_code"
    DEVICE_CODE_V1 = "device_code"
    PASSWORD = "password"  # noqa: S105 - a name, not a password
    ON_BEHALF_OF = "urn:ietf:params:oauth:grant-type:jwt-bearer"


def token(ask: Ask) -> Response:
    """Answer the token endpoint."""
    granted = _granted(ask)
    if isinstance(granted, Fault):
        return granted.answer(ask.request, now=ask.now)
    return reply(ask.request, json.dumps(granted).encode())


def device_code(ask: Ask) -> Response:
    """Answer the device authorization endpoint (RFC 8628 section 3.2); nobody need visit the page.

    The code carries what it is for, and is good at once.
    """
    if not ask.client:
        return missing("client_id").answer(ask.request, now=ask.now)
    page = f"{ask.base}/common/oauth2/deviceauth"
    asked = {name: ask.fields.get(name, "") for name in ("scope", "resource")}
    number = int if ask.place.two else str
    fields: dict[str, Json] = {
        "user_code": USER_CODE,
        "device_code": sealed("device-code", {**asked}),
        "verification_uri" if ask.place.two else "verification_url": page,
        "expires_in": number(DEVICE_SECONDS),
        "interval": number(1),
        "message": f"Graphtape is the authority: nothing needs to be done. (It would be to open "
        f"{page} and enter the code {USER_CODE}.)",
    }
    return reply(ask.request, json.dumps(fields).encode())


def _granted(ask: Ask) -> dict[str, Json] | Fault:
    if ask.request.method != "POST":
        return Fault(
            error="invalid_request",
            code=900561,
            message="The endpoint only accepts POST requests. Received a "
            f"{ask.request.method[:16]} request.",
        )
    name = ask.fields.get("grant_type")
    if name is None:
        return missing("grant_type")
    try:
        grant = Grant(name)
    except ValueError:
        return Fault(
            error="unsupported_grant_type",
            code=70003,
            message=f"The app requested an unsupported grant type '{name[:80]}'.",
        )
    return (missing("client_id") if not ask.client else None) or _by(grant, ask)


def _by(grant: Grant, ask: Ask) -> dict[str, Json] | Fault:  # noqa: PLR0911 - one grant each
    match grant:
        case Grant.CLIENT_CREDENTIALS:
            return _client_credentials(ask)
        case Grant.AUTHORIZATION_CODE:
            return _authorization_code(ask)
        case Grant.REFRESH_TOKEN:
            return _carried(ask, "refresh_token")
        case Grant.DEVICE_CODE:
            return _carried(ask, "device_code")
        case Grant.DEVICE_CODE_V1:
            return _carried(ask, "device_code" if "device_code" in ask.fields else "code")
        case Grant.PASSWORD:
            return _password(ask)
        case Grant.ON_BEHALF_OF:
            return _on_behalf_of(ask)
        case _:
            assert_never(grant)


def _client_credentials(ask: Ask) -> dict[str, Json] | Fault:
    if not ask.proves_client:
        return _UNPROVEN
    if not ask.place.two and "resource" in ask.fields:
        return issue.to_app(ask, _scope(ask, {}))
    text = ask.fields.get("scope")
    if text is None:
        return Fault(
            error="invalid_request",
            code=90014,
            message="The required field 'scope' is missing from the credential. Ensure that you "
            "have all the necessary parameters for the login request.",
        )
    scope = _scope(ask, {})
    if scope.names != (DEFAULT,):
        return Fault(
            error="invalid_scope",
            code=1002012,
            message=f"The provided value for scope {text[:200]} is not valid. Client credential "
            "flows must have a scope value with /.default suffixed to the resource identifier "
            "(application ID URI).",
        )
    return issue.to_app(ask, scope)


def _authorization_code(ask: Ask) -> dict[str, Json] | Fault:
    code = ask.fields.get("code")
    if code is None:
        return missing("code")
    challenge = _text(opened(code), "challenge")
    if challenge and challenge not in _challenges(ask.fields.get("code_verifier", "")):
        return Fault(
            error="invalid_grant",
            code=501481,
            message="The Code_Verifier does not match the code_challenge supplied in the "
            "authorization request.",
        )
    return _carried(ask, "code")


def _challenges(verifier: str) -> tuple[str, str]:
    """Return what a verifier may have been announced by: itself or its hash (RFC 7636, 4.2)."""
    digest = sha256(verifier.encode("utf-8", "surrogatepass")).digest()
    return verifier, urlsafe_b64encode(digest).decode("ascii").rstrip("=")


def _carried(ask: Ask, name: str) -> dict[str, Json] | Fault:
    """Issue what a code or refresh token was for; one from elsewhere is for what is asked now."""
    given = ask.fields.get(name)
    if given is None:
        return missing(name)
    content = opened(given)
    user = _text(content, "user") or ask.terms.user
    nonce = _text(content, "nonce")
    return issue.to_user(ask, _scope(ask, content), user=user, nonce=nonce)


def _password(ask: Ask) -> dict[str, Json] | Fault:
    user = ask.fields.get("username")
    if user is None or "password" not in ask.fields:
        return missing("username" if user is None else "password")
    return issue.to_user(ask, _scope(ask, {}), user=user)


def _on_behalf_of(ask: Ask) -> dict[str, Json] | Fault:
    if not ask.proves_client:
        return _UNPROVEN
    for name in ("assertion", "requested_token_use"):
        if name not in ask.fields:
            return missing(name)
    return issue.to_user(ask, _scope(ask, {}), user=ask.terms.user)


def _scope(ask: Ask, content: Mapping[str, Json]) -> Scope:
    """Read what is asked for: now, or else when the code was issued."""
    resource = ask.fields.get("resource") or _text(content, "resource")
    text = ask.fields.get("scope") or _text(content, "scope")
    if ask.place.two or (text and not resource):
        return Scope.parse(text, graph=ask.graph)
    return Scope.of_resource(resource, graph=ask.graph)


def _text(content: Mapping[str, Json], name: str) -> str:
    value = content.get(name)
    return value if isinstance(value, str) else ""


_UNPROVEN = Fault(
    error="invalid_client",
    code=7000218,
    message="The request body must contain the following parameter: 'client_assertion' or "
    "'client_secret'.",
    status=401,
)
