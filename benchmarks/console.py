"""`python -m benchmarks console`: the web console over many exchanges, in a real browser."""

from __future__ import annotations

import os
import shutil
import time
from contextlib import contextmanager
from typing import TYPE_CHECKING

from benchmarks import tape
from benchmarks.load import put
from benchmarks.process import Failed, NotThere
from benchmarks.table import Goal, Skipped

if TYPE_CHECKING:
    from collections.abc import Iterator

    from playwright.sync_api import Page

    from benchmarks.options import Options
    from benchmarks.table import Results

PART = "console"
EXCHANGES = 100_000

_SCROLL = """async () => {
  const grid = document.getElementById('requests');
  const frames = [];
  let last = performance.now();
  for (let frame = 0; frame < 240; frame += 1) {
    grid.scrollTop = (frame / 240) * grid.scrollHeight;
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    frames.push(now - last);
    last = now;
  }
  return frames.sort((one, other) => one - other)[Math.floor(frames.length * 0.95)];
}"""


@contextmanager
def page() -> Iterator[Page]:
    """Open a page of a real Chromium.

    Raises:
        NotThere: There is none.
    """
    chromium = os.environ.get("GRAPHTAPE_CHROMIUM") or shutil.which("chromium")
    if chromium is None:
        raise NotThere("no Chromium: apt-get install -y --no-install-recommends chromium")
    from playwright.sync_api import sync_playwright  # noqa: PLC0415 - loads a driver

    arguments = ["--no-sandbox", "--disable-dev-shm-usage"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=chromium, args=arguments)
        try:
            yield browser.new_page(viewport={"width": 1440, "height": 900})
        finally:
            browser.close()


def run(options: Options, results: Results) -> None:
    """Measure the console after 100,000 exchanges."""
    from benchmarks.contestant import replay  # noqa: PLC0415 - which asks for `page`

    interactions = 1000
    paths = tape.request_paths(interactions, ("",))
    try:
        with replay(interactions) as served, page() as opened:
            done = 0
            while done < EXCHANGES:
                done += put(served, paths, connections=options.connections, seconds=1.0)[1]
            began = time.perf_counter()
            opened.goto(f"{served.control}/console")
            opened.wait_for_selector("[role=grid] .replayed")
            ready = time.perf_counter() - began
            rows = opened.locator("[role=grid]").get_attribute("aria-rowcount")
            if int(rows or 0) <= EXCHANGES:
                raise Failed(f"the console tells of {rows} rows after {done:,} exchanges")
            frame = float(opened.evaluate(_SCROLL))
            heap = float(opened.evaluate("performance.memory.usedJSHeapSize")) / 2**20
    except NotThere as exc:
        results.skipped.append(Skipped(part=PART, name="console", why=str(exc)))
        return
    for name, value, goal, unit in (
        ("ready after 100,000 exchanges", ready, 1.0, "s"),
        ("frame while scrolling them, p95", frame, 33.0, "ms"),
        ("heap then", heap, 60.0, "MiB"),
    ):
        results.goals.append(
            Goal(part=PART, name=name, value=value, goal=goal, unit=unit, more_is_better=False)
        )
