"""Every link inside of a built site leads somewhere, and no page needs a network.

python tools/check_site.py FOLDER: prints each fault, and its exit status is 1 where there is one.
"""

import sys
from collections.abc import Iterator
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "video": "src", "link": "href"}
"""Elements whose address is fetched when a page is shown."""


class Page(HTMLParser):
    """The ids and the addresses of a page; `fetched` are those that it cannot be shown without."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.ids: set[str] = set()
        self.linked: list[str] = []
        self.fetched: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        of = {name: value or "" for name, value in attrs}
        self.ids |= {of[name] for name in ("id", "name") if name in of}
        if tag == "a" and "href" in of:
            self.linked.append(of["href"])
        if LOADED.get(tag) in of:
            self.fetched.append(of[LOADED[tag]])


@cache
def page(path: Path) -> Page:
    return Page(path.read_text(encoding="utf-8"))


def faults(folder: Path) -> Iterator[str]:
    """What is wrong with a site, a line of text each."""
    pages = sorted(folder.rglob("*.html"))
    for path in pages:
        name = path.relative_to(folder)
        for address in page(path).fetched:
            if urlsplit(address).netloc:
                yield f"{name}: needs the network for {address}"
        for address in {*page(path).linked, *page(path).fetched}:
            parts = urlsplit(address)
            if parts.scheme or parts.netloc:
                continue
            target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
            if not target.exists():
                yield f"{name}: {address} is not there"
                continue
            place = unquote(parts.fragment) if target.suffix == ".html" else ""
            if place and place not in page(target).ids:
                yield f"{name}: {address} has no such place"
    for style in folder.rglob("*.css"):
        if "url(http" in style.read_text(encoding="utf-8").replace('"', "").replace("'", ""):
            yield f"{style.relative_to(folder)}: needs the network"
    for needed in ("index.html", "search.html", "searchindex.js"):
        if not (folder / needed).is_file():
            yield f"{needed} is not there"


def main(folder: str) -> int:
    found = list(faults(Path(folder)))
    print("".join(f"{fault}\n" for fault in found), end="")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
