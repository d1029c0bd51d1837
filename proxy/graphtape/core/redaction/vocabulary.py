"""Names that say what their value is: of headers, fields, parameters."""

from __future__ import annotations

import enum

from graphtape.core.redaction.graph_names import NAMES, Kind


class Place(enum.StrEnum):
    """What a name says about its value."""

    PLAIN = "plain"
    """Nothing: its shape decides."""
    SECRET = "secret"  # noqa: S105 - a name
    TENANT = "tenant"
    """A tenant id, or a domain in its place."""
    DOMAIN = "domain"
    LINK = "link"
    """A URL that is followed without a token, so that it is a secret itself."""
    PERSON = "person"
    DEVICE = "device"
    SERIAL = "serial"
    PHONE = "phone"
    SCHEME = "scheme"
    """A scheme, then a secret: `Bearer …`."""
    COOKIE = "cookie"
    SET_COOKIE = "set-cookie"
    ALLOWED = "allowed"
    """Leave alone."""


def folded(name: str) -> str:
    """Return a name as names compare: `Client-Secret` is `client_secret` is `clientSecret`."""
    return name.lower().replace("_", "").replace("-", "")


SECRET_FIELDS = frozenset(
    folded(name) for name, kind in NAMES.items() if kind is Kind.SECRET
) | frozenset(
    {
        "accesskey",
        "accountkey",
        "activationlockbypasscode",
        "apikey",
        "assertion",
        "bootstraptoken",
        "clientassertion",
        "clientinfo",
        "clientstate",  # subscriptions: proves that a notification comes from Graph
        "connectionstring",
        "deptoken",
        "devicecode",
        "encryptionkey",
        "enterprisetoken",
        "keymaterial",  # WLANProfile
        "macoslocaladminpassword",
        "passwd",
        "passwordbase64",  # deviceLocalCredentials
        "passwords",
        "pin",
        "presharedkey",
        "primarykey",
        "primarysharedkey",
        "psk",
        "pwd",
        "qrcodecontent",  # Android enrollment: the token as text
        "samlassertion",
        "saskey",
        "sastoken",
        "secondarykey",
        "secondarysharedkey",
        "secrettext",
        "secrettoken",
        "serviceaccountcredentials",
        "sessiontoken",
        "sharedaccesskey",
        "sharedaccesssignature",
        "sharedkey",
        "subscriptionkey",
        "tempauth",
        "temporaryaccesspass",
        "token",
        "tokenvalue",
        "unlockcode",
        "unlockpin",
        "userassertion",
        "usercode",
        "xauth",
        "xcsrftoken",
        "xfunctionskey",
        "xmsclientprincipal",
        "xmsgraphtoken",
        "xmsrefreshtokencredential",
        "xxsrftoken",
    }
)
KEYS_OR_NAMES = frozenset({"primarykey", "secondarykey"})
"""Secrets, but for short values: those name the key of a table."""
SECRET_ENDINGS = (
    "accesstoken",
    "apikey",
    "authtoken",
    "bearertoken",
    "idtoken",
    "passcode",
    "passphrase",
    "password",
    "privatekey",
    "recoverykey",
    "refreshtoken",
    "secret",
    "securitytoken",
)
CURSOR_ENDINGS = ("continuationtoken", "deltatoken", "pagetoken", "skiptoken", "synctoken")
"""Names of tokens that say where in a list one is."""
FORM_SECRETS = frozenset({"code", "codeverifier", "requestedtoken", "subjecttoken"})
QUERY_SECRETS = frozenset(
    {
        "authkey",
        "credential",
        "logouthint",
        "prooftoken",
        "sas",
        "sig",
        "signature",
        "ticket",
        "xamzcredential",
        "xamzsignature",
    }
)
SECRET_ANSWERS = frozenset(
    {
        "getfilevaultkey",
        "getomasettingplaintextvalue",
        "acquireaccesstoken",
        "getrecoverykey",
        "creategoogleplaywebtoken",
        "generateapikey",
        "generatekey",
        "getencryptionkey",
    }
)
"""Actions and functions, lower case, whose answer's `value` is the secret."""

SECRET_NEIGHBOURS = frozenset(
    {
        "basetoken",
        "clientsecret",
        "oauth2clientsecret",
        "oauth2accesstoken",
        "secretreferencevalueid",
        "secrettoken",
    }
)
"""Folded values of `key` and `name` that make the `value` beside them a secret
(synchronization secrets), with those that end as `SECRET_ENDINGS`."""

NAME_FIELDS = frozenset(
    {
        "appconfigkey",  # managed app configuration
        "displayname",
        "attributename",
        "fieldid",
        "fieldname",
        "headername",
        "label",
        "optionname",
        "settingkey",
        "id",
        "key",
        "keyname",
        "name",
        "omauri",
        "parametername",
        "propertyname",
        "secretreferencevalueid",  # of an encrypted OMA setting
        "settingdefinitionid",
        "settingname",
        "variable",
        "variablename",
    }
)
"""Folded fields that may say what a value beside them is."""

VALUE_FIELDS = frozenset(
    {
        "appconfigkeyvalue",
        "attributevalue",
        "currentvalue",
        "defaultvalue",
        "headervalue",
        "newvalue",
        "optionvalue",
        "parametervalue",
        "variablevalue",
        "fieldvalue",
        "keyvalue",
        "settingvalue",
        "stringvalue",
        "textvalue",
        "value",
        "valuestring",
        "valuetext",
    }
)
"""Folded fields that hold it."""

TYPED_SECRETS = {
    "devicemanagementconfigurationsecretsettingvalue": frozenset({"value"}),
    "bitlockerrecoverykey": frozenset({"key"}),
}
"""Fields that are secret in one type: by the end of `@odata.type`, folded."""

JWK_MARKS = frozenset({"kty", "use"})
JWK_SECRETS = frozenset({"d", "dp", "dq", "k", "oth", "p", "q", "qi"})
"""Private parameters of a JSON Web Key (RFC 7518 sections 6.2.2, 6.3.2 and 6.4)."""

HEADERS = {
    "authorization": Place.SCHEME,
    "proxyauthorization": Place.SCHEME,
    "xmsauthorizationauxiliary": Place.SCHEME,
    "cookie": Place.COOKIE,
    "setcookie": Place.SET_COOKIE,
    "location": Place.LINK,
    "contentlocation": Place.LINK,
    "operationlocation": Place.LINK,
    "azureasyncoperation": Place.LINK,
    "ocpapimsubscriptionkey": Place.SECRET,
}
"""Header fields; those of `SECRET_FIELDS` and `SECRET_ENDINGS` are secret here as well."""
AUTHENTICATION_SCHEMES = frozenset(
    (
        "basic",
        "bearer",
        "concealed",
        "digest",
        "dpop",
        "gnap",
        "hoba",
        "mutual",
        "negotiate",
        "oauth",
        "privatetoken",
        "scram-sha-1",
        "scram-sha-256",
        "vapid",
    )
)
"""IANA's HTTP Authentication Scheme Registry, in lower case: any other word may be a secret."""

_CREDENTIALS = frozenset({Place.SCHEME, Place.COOKIE, Place.SET_COOKIE, Place.SECRET})


def credentials_header(key: str) -> Place:
    """Say what a folded name says wherever it stands: PLAIN but for headers that let one in.

    `location` is a header and a field of many resources, `authorization` means one thing.
    """
    if key.endswith("authorization"):  # X-Forwarded-Authorization
        return Place.SCHEME
    place = HEADERS.get(key, Place.PLAIN)
    return place if place in _CREDENTIALS else Place.PLAIN


LINK_FIELDS = frozenset(
    folded(name) for name, kind in NAMES.items() if kind is Kind.LINK
) | frozenset({"monitorurl", "azurestorageuri", "sasuri", "azurestorageuristring"})
TENANT_FIELDS = frozenset({"tid", "sktid", "utid", "tenant", "xtenant", "realm"})
TENANT_ENDINGS = ("tenantid", "tenantids", "organizationid", "organizationids")
DOMAIN_FIELDS = frozenset(
    {
        "defaultdomainname",
        "dnsdomainname",
        "domain",
        "domainname",
        "domains",
        "initialdomain",
        "onpremisesdomainname",
        "publisherdomain",
        "tenantdomain",
        "verifieddomain",
    }
)
PERSONAL = {
    "displayname": Place.PERSON,
    "givenname": Place.PERSON,
    "surname": Place.PERSON,
    "fullname": Place.PERSON,
    "userdisplayname": Place.PERSON,
    "mailnickname": Place.PERSON,
    "onpremisessamaccountname": Place.PERSON,
    "businessphones": Place.PHONE,
    "mobilephone": Place.PHONE,
    "homephones": Place.PHONE,
    "faxnumber": Place.PHONE,
    "phonenumber": Place.PHONE,
    "devicename": Place.DEVICE,
    "devicedisplayname": Place.DEVICE,
    "hostname": Place.DEVICE,
    "manageddevicename": Place.DEVICE,
    "serialnumber": Place.SERIAL,
    "imei": Place.SERIAL,
    "meid": Place.SERIAL,
    "udid": Place.SERIAL,
    "ethernetmacaddress": Place.SERIAL,
    "wifimacaddress": Place.SERIAL,
}
"""Folded names of personal data, and how each is replaced."""
