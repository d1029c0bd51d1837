"""Corporate proxies: HTTPS_PROXY, HTTP_PROXY, ALL_PROXY and NO_PROXY on the way up."""

from __future__ import annotations

import base64
import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

from yarl import URL

from graphtape.server.upstream.fault import proxy_error

if TYPE_CHECKING:
    from collections.abc import Mapping


@dataclass(frozen=True, slots=True, kw_only=True)
class CorporateProxy:
    """A proxy on the way up.

    Attributes:
        url: Without credentials, so that no message can tell them.
        headers: What is said to it alone.
    """

    url: URL
    headers: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class CorporateProxies:
    """What environment and system say about proxies.

    Attributes:
        named: Proxy URLs by scheme of the target; `all` for any.
    """

    named: Mapping[str, str]

    @classmethod
    def from_environment(cls) -> Self:
        """Read them once; aiohttp's own `trust_env` reads .netrc too, for every request."""
        return cls(urllib.request.getproxies())

    @classmethod
    def none(cls) -> Self:
        """Go everywhere directly."""
        return cls({})

    def on_the_way_to(self, target: URL) -> CorporateProxy | None:
        """Return the proxy for a URL; None where it is reached directly.

        Raises:
            UpstreamError: What is named is no proxy that can be used.
        """
        named = self.named.get(target.scheme) or self.named.get("all")
        if not named or _is_exempt(target):
            return None
        try:
            url = URL(named if "://" in named else f"http://{named}")
        except ValueError:
            url = URL()
        if url.scheme not in {"http", "https"} or not url.host:
            kind = f"a {url.scheme} proxy" if url.scheme else "none that is a URL"
            raise proxy_error(target, f"the environment names {kind}, not an http(s) one")
        return CorporateProxy(url=url.with_user(None), headers=_credentials(url))


def _is_exempt(target: URL) -> bool:
    """Tell whether NO_PROXY names a host, alone or with its port."""
    host = target.host or ""
    return any(urllib.request.proxy_bypass(name) for name in (host, f"{host}:{target.port}"))


def _credentials(proxy: URL) -> Mapping[str, str]:
    """Say a URL's user and password as a proxy wants them (RFC 7617)."""
    if proxy.user is None:
        return {}
    pair = f"{proxy.user}:{proxy.password or ''}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(pair).decode()}"}
