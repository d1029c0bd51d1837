"""Stable pseudonyms for who is in a message: people, tenants, their domains."""

from __future__ import annotations

import re
from base64 import b32encode
from hashlib import blake2b

DOCUMENTATION_DOMAINS = frozenset(
    f"{name}.{end}"
    for name in (
        "adatum",
        "adventure-works",
        "alpineskihouse",
        "bellowscollege",
        "bestforyouorganics",
        "blueyonderairlines",
        "cohovineyard",
        "cohovineyardandwinery",
        "cohowinery",
        "contoso",
        "contososuites",
        "cpandl",
        "fabrikam",
        "fabrikamresidences",
        "firstupconsultants",
        "fourthcoffee",
        "graphicdesigninstitute",
        "humongousinsurance",
        "lamnahealthcare",
        "libertysdelightfulsinfulbakeryandcafe",
        "litware",
        "litwareinc",
        "lucernepublishing",
        "margiestravel",
        "munsonspicklesandpreservesfarm",
        "nodpublishers",
        "northwindtraders",
        "proseware",
        "relecloud",
        "school-of-fine-art",
        "schooloffineart",
        "southridgevideo",
        "tailspintoys",
        "thephone-company",
        "treyresearch",
        "vanarsdelltd",
        "wideworldimporters",
        "wingtiptoys",
        "woodgrovebank",
    )
    for end in ("com", "net", "org", "onmicrosoft.com", "sharepoint.com")
) | {"example.com", "example.net", "example.org", "consolidatedmessenger.com"}
"""Microsoft's fictitious companies (Microsoft Style Guide) and RFC 2606 section 3. Exact names:
a real `mycontoso.com` is somebody's."""

PUBLIC_TENANTS = frozenset(
    {
        "00000000-0000-0000-0000-000000000000",
        "9188040d-6c67-4c5b-b112-36a304b66dad",  # every personal account
        "f8cdef31-a31e-4b4a-93e4-5f571e91255a",  # Microsoft's own applications
        "72f988bf-86f1-41af-91ab-2d7cd011db47",  # likewise
        "aaaabbbb-0000-cccc-1111-dddd2222eeee",  # Microsoft's documentation
    }
)
"""Tenant ids that tell nothing about who was recorded."""

TENANT_MARK = "facade00"
"""First group of a tenant id's pseudonym."""

GUID = r"[0-9A-Fa-f]{8}-(?:[0-9A-Fa-f]{4}-){3}[0-9A-Fa-f]{12}"

_REMEMBERED = 65_536
_NOBODY = (".prod.outlook.com", ".prod.exchangelabs.com", ".gbl.spaces")
_NOBODY_EXACT = frozenset({"thread.skype", "unq.gbl.spaces", "onetoone.skype"})
_EXT = "#ext#"
_DOMAIN = re.compile(r"[^\W_](?:[^\W_]|-)*+(?:\.[^\W_](?:[^\W_]|-)*+)++")
_TOP_LEVEL = re.compile(r"xn--[a-z0-9-]+|[^\W\d_]{2,}(?=-|\Z)", re.IGNORECASE)
_MASKED_NAME = re.compile(r"(?:name|device|serial)-[a-z2-7]{8}")
_MASKED_PHONE = re.compile(r"\+000[0-9]{8}")


def is_domain(text: str) -> bool:
    """Tell whether a text is a dotted name whose last label is a word."""
    return _DOMAIN.fullmatch(text) is not None and mail_domain(text) == text


def mail_domain(text: str) -> str:
    """Return how much of a dotted name is one: up to its last top-level domain; maybe ''."""
    labels = text.split(".")
    while len(labels) > 1:
        end = _TOP_LEVEL.match(labels[-1])
        if end is not None:
            return ".".join((*labels[:-1], end[0]))
        labels.pop()
    return ""


class Pseudonyms:
    """Stand-ins that are the same for the same identity, salt given, in whatever case it is.

    A pseudonym is its own pseudonym. Documentation's identities are left alone.

    Attributes:
        salt: Keeps who has no salt from making the same stand-ins.
    """

    def __init__(self, *, salt: str, allow: frozenset[str] = frozenset(), lenient: bool) -> None:
        """Make pseudonyms.

        Args:
            salt: Any text.
            allow: Lower-case domains and other identities to leave alone.
            lenient: Take a tenant id with our mark for a pseudonym, whatever its salt.
        """
        self.salt = salt
        self._allow = allow
        self._lenient = lenient
        self._key = blake2b(salt.encode("utf-8", "surrogatepass")).digest()
        self._known: dict[tuple[str, str], str] = {}

    def mail(self, address: str) -> str:
        """Replace a mail address or UPN, or the UPN of a guest part by part."""
        return self._remember("mail", address)

    def domain(self, name: str) -> str:
        """Replace a domain."""
        return self._remember("domain", name)

    def tenant(self, guid: str) -> str:
        """Replace a tenant id; it keeps its letter case."""
        return self._remember("tenant", guid)

    def owner(self, name: str) -> str:
        """Replace a UPN written with `_` for `@` and `.`, as in a OneDrive's path."""
        return f"user-{self._letters('mail', name.lower())}_example"

    def person(self, value: str, kind: str) -> str:
        """Replace a display name, device name or serial number by `KIND-xxxxxxxx`."""
        if _MASKED_NAME.fullmatch(value) or not value:
            return value
        return f"{kind}-{self._letters('person', value)}"

    def phone(self, number: str) -> str:
        """Replace a phone number by one of a country code that isn't in use."""
        if _MASKED_PHONE.fullmatch(number) or not number:
            return number
        digest = self._digest("phone", "".join(filter(str.isdigit, number)), 8)
        return f"+000{int.from_bytes(digest) % 10**8:08}"

    def fake(self, secret: str) -> str:
        """Replace a secret that must stay told apart from others: of a URL that is followed."""
        return f"REDACTED{self._digest('fake', secret, 8).hex()}"

    def keyed(self, secret: str) -> str:
        """Replace a secret that nobody can guess by a mask that tells it from others."""
        return f"REDACTED{self._digest('secret', secret, 10).hex()}"

    def _remember(self, kind: str, value: str) -> str:
        known = self._known.get((kind, value))
        if known is not None:
            return known
        match kind:
            case "mail":
                new = self._mail(value)
            case "domain":
                new = self._domain(value)
            case _:
                new = self._tenant(value)
        if len(self._known) >= _REMEMBERED:
            self._known.clear()
        self._known[kind, value] = new
        return new

    def _mail(self, address: str) -> str:
        local, _, domain = address.rpartition("@")
        if address.lower() in self._allow:
            return address
        if local.lower().endswith(_EXT):
            return f"{self.guest(local)}@{self.domain(domain)}" if domain else self.guest(local)
        host = self.domain(domain)
        if host == domain:
            return address
        plain = address.lower().replace("''", "'")  # OData doubles it in a URL
        return f"user-{self._letters('mail', plain)}@{host}"

    def guest(self, local: str) -> str:
        """Replace `user_contoso.com#EXT#`: the guest's own address, `@` written `_`."""
        head, mark = local[: -len(_EXT)], local[-len(_EXT) :]
        name, underscore, home = head.rpartition("_")
        if underscore and name and is_domain(home):
            return self.mail(f"{name}@{home}").replace("@", "_") + mark
        if not head or "REDACTED" in head or re.fullmatch(r"user-[a-z2-7]{8}", head):
            return local
        return f"user-{self._letters('mail', head.lower())}{mark}"

    def _domain(self, name: str) -> str:
        lower = name.lower()
        if self._names_nobody(lower):
            return name
        label, dot, rest = lower.partition(".")
        if dot and rest.startswith("sharepoint."):
            # acme-my.sharepoint.com belongs to acme.onmicrosoft.com, and tells its name.
            owner, dash, kind = label.partition("-")
            return f"{self._letters('domain', owner)}{dash}{kind}.sharepoint.example"
        return f"{self._letters('domain', lower)}.example"

    def _names_nobody(self, domain: str) -> bool:
        return (
            domain in DOCUMENTATION_DOMAINS
            or domain in self._allow
            or domain in _NOBODY_EXACT
            or domain.endswith((".example", *_NOBODY))
            or domain.startswith(("odata.", "microsoft.graph."))
        )

    def _tenant(self, guid: str) -> str:
        lower = guid.lower()
        if lower in PUBLIC_TENANTS or lower in self._allow or self._is_tenant_pseudonym(lower):
            return guid
        stem = self._digest("tenant", lower, 5).hex()
        new = f"{TENANT_MARK}-{stem[:4]}-4{stem[4:7]}-8{stem[7:]}-{self._check(stem)}"
        return new.upper() if guid.isupper() else new

    def _is_tenant_pseudonym(self, guid: str) -> bool:
        mark, first, second, third, check = guid.split("-")
        if mark != TENANT_MARK:
            return False
        return self._lenient or check == self._check(first + second[1:] + third[1:])

    def _check(self, stem: str) -> str:
        return self._digest("check", stem, 6).hex()

    def _letters(self, kind: str, value: str) -> str:
        return b32encode(self._digest(kind, value, 5)).decode().lower()

    def _digest(self, kind: str, value: str, size: int) -> bytes:
        data = value.encode("utf-8", "surrogatepass")
        return blake2b(data, key=self._key, person=kind.encode(), digest_size=size).digest()
