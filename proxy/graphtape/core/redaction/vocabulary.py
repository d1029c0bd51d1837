"""Names that say what their value is: of headers, fields, parameters."""

from __future__ import annotations

import enum


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
        "macoslocaladminpassword",
        "passwd",
        "passwordbase64",  # deviceLocalCredentials
        "presharedkey",
        "primarykey",
        "primarysharedkey",
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
        "userassertion",
    }
)
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
    "refreshtoken",
    "secret",
    "securitytoken",
)
FORM_SECRETS = frozenset({"code", "codeverifier", "requestedtoken", "subjecttoken"})
QUERY_SECRETS = frozenset(
    {
        "authkey",
        "credential",
        "prooftoken",
        "sas",
        "sig",
        "signature",
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
    }
)
"""Actions and functions, lower case, whose answer's `value` is the secret."""

SECRET_NEIGHBOURS = frozenset(
    {"basetoken", "clientsecret", "oauth2clientsecret", "oauth2accesstoken", "secrettoken"}
)
"""Folded values of `key` and `name` that make the `value` beside them a secret
(synchronization secrets), with those that end as `SECRET_ENDINGS`."""

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
    "xcsrftoken": Place.SECRET,
    "xfunctionskey": Place.SECRET,
    "xmsclientprincipal": Place.SECRET,
    "xmsgraphtoken": Place.SECRET,
    "xmsrefreshtokencredential": Place.SECRET,
    "xxsrftoken": Place.SECRET,
}
LINK_FIELDS = frozenset(
    {"uploadurl", "monitorurl", "azurestorageuri", "sasuri", "azurestorageuristring"}
)
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
    "userdisplayname": Place.PERSON,
    "mailnickname": Place.PERSON,
    "onpremisessamaccountname": Place.PERSON,
    "businessphones": Place.PHONE,
    "mobilephone": Place.PHONE,
    "homephones": Place.PHONE,
    "faxnumber": Place.PHONE,
    "phonenumber": Place.PHONE,
    "devicename": Place.DEVICE,
    "deviceisplayname": Place.DEVICE,
    "devicedisplayname": Place.DEVICE,
    "manageddevicename": Place.DEVICE,
    "serialnumber": Place.SERIAL,
    "imei": Place.SERIAL,
    "meid": Place.SERIAL,
    "udid": Place.SERIAL,
    "wifimacaddress": Place.SERIAL,
}
"""Folded names of personal data, and how each is replaced."""
