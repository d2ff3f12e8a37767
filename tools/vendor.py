"""What the page brings along: files of packages at a version, by the sha256 of each file.

python tools/vendor.py: fetches the packages, checks each file and writes it beside the page.
python tools/vendor.py --check: compares the files that are there, and asks nobody.
"""

import gzip
import hashlib
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

VENDOR = Path(__file__).parents[1] / "src/reparam/web/static/vendor"
FILES = {
    "preact-htm.js": (
        "npm:htm@3.1.1",
        "preact/standalone.module.js",
        "72284e8e9079c87817145df1110f74e8a2aa040b2fc384922e18dfcb46fc1fd7",
    ),
    "LICENSE.htm": (
        "npm:htm@3.1.1",
        "LICENSE",
        "740725f7252e750af735d0028cc534970772f513331e9f68150fede8fb3ce00f",
    ),
    "LICENSE.preact": (
        "npm:preact@10.5.13",
        "LICENSE",
        "1fe6958409c8c257a70c587a18b6f7f412b179b456630790d30b2ec9a8e4b7d4",
    ),
    "onnxruntime.mjs.gz": (
        "npm:onnxruntime-web@1.30.0",
        "dist/ort.wasm.bundle.min.mjs",
        "11e64bd8ffe11bd1a2a2f0d6275fdfbbba7262f0b76b99b53d228a8a22ef3d90",
    ),
    "onnxruntime.wasm.gz": (
        "npm:onnxruntime-web@1.30.0",
        "dist/ort-wasm-simd-threaded.wasm",
        "3398c10d07d229bd91b364548e130e0e51a8e5704b88c7c083ebbeb78842dee2",
    ),
    "LICENSE.onnxruntime": (
        "pip:onnxruntime==1.30.0",
        "onnxruntime/LICENSE",
        "2f07c72751aed99790b8a4869cf2311df85a860b22ded05fa22803587a48922c",
    ),
    "NOTICES.onnxruntime.gz": (
        "pip:onnxruntime==1.30.0",
        "onnxruntime/ThirdPartyNotices.txt",
        "143764b952fdb1a7c69ce653bfba74a7744d6a8a573bfb73e235fba356c83de3",
    ),
}
"""Name here, compressed where it ends in .gz: package, path in it, sha256 of what is there. The npm package
of onnxruntime has no text of its licence; the wheel of that version has."""


def fetched(package: str, path: str) -> bytes:
    """A file of a package."""
    index, _, name = package.partition(":")
    with tempfile.TemporaryDirectory() as folder:
        if index == "npm":
            command = ["npm", "pack", name, "--silent", "--pack-destination", folder]
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            with tarfile.open(next(Path(folder).glob("*.tgz"))) as archive:
                member = archive.extractfile(f"package/{path}")
                assert member is not None
                return member.read()
        command = [sys.executable, "-m", "pip", "download", name, "--no-deps", "-q", "-d", folder]
        subprocess.run([*command, "--only-binary=:all:"], check=True)
        with zipfile.ZipFile(next(Path(folder).glob("*.whl"))) as wheel:
            return wheel.read(path)


def held(file: Path) -> bytes:
    """What a file here holds, decompressed."""
    data = file.read_bytes() if file.exists() else b""
    return gzip.decompress(data) if data and file.suffix == ".gz" else data


def main(check: bool) -> int:
    wrong = []
    for name, (package, path, sha256) in FILES.items():
        file = VENDOR / name
        data = held(file) if check else fetched(package, path)
        if hashlib.sha256(data).hexdigest() != sha256:
            wrong.append(f"{name} is not the {path} of {package} that was chosen (sha256 {sha256[:12]}...)")
        elif not check:
            file.write_bytes(gzip.compress(data, 9, mtime=0) if file.suffix == ".gz" else data)
    print("".join(f"{line}\n" for line in wrong), end="")
    return bool(wrong)


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
