"""What the page brings along: packages of npm at a version, by the sha256 of each file.

python tools/vendor.py: fetches the packages with npm, checks each file and writes it beside the page.
python tools/vendor.py --check: compares the files that are there, and asks nobody.
"""

import hashlib
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

VENDOR = Path(__file__).parents[1] / "src/reparam/web/static/vendor"
FILES = {
    "preact-htm.js": (
        "htm@3.1.1",
        "preact/standalone.module.js",
        "72284e8e9079c87817145df1110f74e8a2aa040b2fc384922e18dfcb46fc1fd7",
    ),
    "LICENSE.htm": (
        "htm@3.1.1",
        "LICENSE",
        "740725f7252e750af735d0028cc534970772f513331e9f68150fede8fb3ce00f",
    ),
    "LICENSE.preact": (
        "preact@10.5.13",
        "LICENSE",
        "1fe6958409c8c257a70c587a18b6f7f412b179b456630790d30b2ec9a8e4b7d4",
    ),
}
"""Name here: package, path in it, sha256."""


def fetched(package: str, path: str) -> bytes:
    """A file of a package."""
    with tempfile.TemporaryDirectory() as folder:
        command = ["npm", "pack", package, "--silent", "--pack-destination", folder]
        subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
        with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
            member = archive.extractfile(f"package/{path}")
            assert member is not None
            return member.read()


def main(check: bool) -> int:
    wrong = []
    for name, (package, path, sha256) in FILES.items():
        file = VENDOR / name
        data = (file.read_bytes() if file.exists() else b"") if check else fetched(package, path)
        if hashlib.sha256(data).hexdigest() != sha256:
            wrong.append(f"{name} is not the {path} of {package} that was chosen (sha256 {sha256[:12]}...)")
        elif not check:
            file.write_bytes(data)
    print("".join(f"{line}\n" for line in wrong), end="")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
