"""An app that is told of changed mail, as Microsoft's documentation asks for.

"Receive change notifications through webhooks" and "Reduce missing subscriptions and change
notifications" are the pages.
"""

import hmac
import json
import queue
import secrets
import threading
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests

RESOURCE = "me/messages"
LIFETIME = timedelta(days=2)

Item = dict[str, Any]


class Mailbox:
    """Knows the subjects of a mailbox, and keeps up with its changes."""

    def __init__(self, base_url: str, token: str, port: int) -> None:
        self.base_url = base_url
        self.graph = requests.Session()
        self.graph.headers["Authorization"] = f"Bearer {token}"
        self.graph.trust_env = False  # whatever proxies the environment names
        self.state = secrets.token_urlsafe(24)
        self.subjects: dict[str, str] = {}
        self.subscription = ""
        self.seen: set[str] = set()
        self.work: queue.Queue[list[Item] | None] = queue.Queue()
        mailbox = self

        class Receiver(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                tokens = parse_qs(urlsplit(self.path).query).get("validationToken")
                if tokens:  # decoded, in plain text, within 10 seconds
                    self.answer(200, tokens[0].encode())
                    return
                # Queued and accepted at once: Graph waits a few seconds, and tries again otherwise.
                mailbox.work.put(json.loads(body)["value"])
                self.answer(202, b"")

            def answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Type", "text/plain; charset=utf-8")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: object) -> None:
                pass

        self.server = ThreadingHTTPServer(("127.0.0.1", port), Receiver)
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        self.threads = [
            threading.Thread(target=self.server.serve_forever, args=(0.05,), daemon=True),
            threading.Thread(target=self.process, daemon=True),
        ]
        for thread in self.threads:
            thread.start()

    def close(self) -> None:
        """Finish what was accepted, then stop listening; again does nothing."""
        self.work.put(None)
        self.threads[1].join(20)
        self.server.shutdown()
        self.server.server_close()

    def subscribe(self) -> None:
        made = self.call(
            "POST",
            "subscriptions",
            {
                "changeType": "created,updated,deleted",
                "notificationUrl": f"{self.url}/notifications",
                "lifecycleNotificationUrl": f"{self.url}/lifecycle",
                "resource": RESOURCE,
                "expirationDateTime": self.end(),
                "clientState": self.state,
            },
        )
        self.subscription = made["id"]

    def renew(self) -> None:
        body = {"expirationDateTime": self.end()}
        self.call("PATCH", f"subscriptions/{self.subscription}", body)

    def end(self) -> str:
        return (datetime.now(UTC) + LIFETIME).isoformat()

    def resync(self) -> None:
        """Read everything: what notifications missed is there."""
        for message in self.call("GET", f"{RESOURCE}/delta")["value"]:
            self.subjects[message["id"]] = message["subject"]

    def process(self) -> None:
        """Work through what was accepted, one after the other."""
        while (items := self.work.get()) is not None:
            for item in items:
                self.take(item)

    def take(self, item: Item) -> None:
        if not hmac.compare_digest(str(item.get("clientState")), self.state):
            return  # not from Graph
        event = item.get("lifecycleEvent")
        if event == "reauthorizationRequired":
            self.renew()
        elif event == "subscriptionRemoved":
            self.subscribe()
            self.resync()
        elif event == "missed":
            self.resync()
        elif item["id"] not in self.seen:  # Graph may deliver one twice
            self.seen.add(item["id"])
            self.change(item["changeType"], item["resourceData"]["id"], item["resource"])

    def change(self, kind: str, identifier: str, resource: str) -> None:
        if kind == "deleted":
            self.subjects.pop(identifier, None)
        else:
            self.subjects[identifier] = self.call("GET", resource)["subject"]

    def call(self, method: str, path: str, body: Item | None = None) -> Item:
        url = f"{self.base_url}/v1.0/{path}"
        answer = self.graph.request(method, url, json=body, timeout=30)
        answer.raise_for_status()
        found: Item = answer.json()
        return found
