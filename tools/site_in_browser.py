"""A built site in a browser, without a network: pages fit their window, say no error, and the search finds.

python tools/site_in_browser.py FOLDER: prints each fault, and its exit status is 1 where there is one.
Needs playwright and chromium; where they lack, it says so and ends with 0.
"""

import functools
import shutil
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

WIDTHS = (390, 1440)
COLOURS = ("light", "dark")
WORDS = ("missing cells", "Gaussian", "posterior collapse")
"""What is searched for."""
OVERFLOW = "document.documentElement.scrollWidth - document.documentElement.clientWidth"
CHROMIUM = shutil.which("chromium")


class Quiet(SimpleHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:
        pass


@contextmanager
def served(folder: Path) -> Iterator[str]:
    """The address of the folder on loopback."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), functools.partial(Quiet, directory=str(folder)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


@contextmanager
def window(browser: Any, address: str, faults: list[str], **options: Any) -> Iterator[Any]:
    """A page of a browser that reaches nothing but `address`; errors and other requests are `faults`."""
    context = browser.new_context(**options)

    def asked(route: Any) -> None:
        if urlsplit(route.request.url).netloc == urlsplit(address).netloc:
            route.continue_()
        else:
            faults.append(f"asks for {route.request.url}")
            route.abort()

    context.route("**/*", asked)
    page = context.new_page()
    page.on("pageerror", lambda error: faults.append(str(error)))
    page.on("console", lambda said: faults.append(said.text) if said.type == "error" else None)
    yield page
    context.close()


def faults_of(browser: Any, folder: Path) -> Iterator[str]:
    """What is wrong with a site, a line of text each."""
    names = sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*.html"))
    with served(folder) as address:
        for width in WIDTHS:
            for colour in COLOURS:
                said: list[str] = []
                size = {"width": width, "height": 900}
                with window(browser, address, said, viewport=size, color_scheme=colour) as page:
                    for name in names:
                        page.goto(f"{address}/{name}")
                        if (over := page.evaluate(OVERFLOW)) > 0:
                            said.append(f"is {over} pixels wider than its window")
                        yield from (f"{name}, {width} {colour}: {each}" for each in said)
                        said.clear()
        said = []
        with window(browser, address, said) as page:
            for words in WORDS:
                if not found(page, address, words):
                    yield f"the search does not find {words!r}"
        yield from (f"search: {each}" for each in said)


def found(page: Any, address: str, words: str) -> list[str]:
    """The pages that the search box of the first page finds."""
    page.goto(f"{address}/index.html")
    page.fill("input[name=q]", words)
    page.press("input[name=q]", "Enter")
    page.wait_for_selector("#search-results li a", timeout=20_000)
    return [each.get_attribute("href") for each in page.query_selector_all("#search-results li a")]


def main(folder: str) -> int:
    try:
        from playwright.sync_api import sync_playwright
    except ImportError:
        print("the site was not looked at: playwright is not installed")
        return 0
    if CHROMIUM is None:
        print("the site was not looked at: there is no chromium")
        return 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        faults = list(faults_of(browser, Path(folder)))
        browser.close()
    print("".join(f"{fault}\n" for fault in faults), end="")
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
