"""An image with Python and pytest, made from this machine's own and without a registry."""

import io
import re
import subprocess
import sys
import sysconfig
import tarfile
from functools import cache
from importlib import metadata
from pathlib import Path

from docker import APIClient

NAME = "codeact-test-python"
PACKAGES = ("pytest", "pluggy", "iniconfig", "packaging", "pygments")
LEFT_OUT = re.compile(
    r"/(__pycache__|test|tests|idlelib|tkinter|lib2to3|ensurepip|site-packages|config-[^/]*)(/|$)|\.(a|exe)$"
)


def import_image(client: APIClient) -> str:
    """Give an engine the image, unless it has it; its name."""
    if not client.images(NAME, quiet=True):
        client.import_image_from_data(_archive(), repository=NAME, tag="latest")
    return f"{NAME}:latest"


@cache
def _archive() -> bytes:
    content = io.BytesIO()
    stdlib = Path(sysconfig.get_path("stdlib"))
    real = Path(sys.base_prefix, "bin", f"python{sys.version_info[0]}.{sys.version_info[1]}")
    with tarfile.open(fileobj=content, mode="w", dereference=True) as archive:
        archive.add(real)
        archive.add(stdlib, filter=lambda entry: None if LEFT_OUT.search(f"/{entry.name}") else entry)
        for package in PACKAGES:
            for file in metadata.files(package) or ():
                if file.suffix in (".py", ".txt", ".typed") and ".." not in file.parts:
                    archive.add(str(file.locate()), str(stdlib / "site-packages" / file))
        for library in _libraries((real, Path("/bin/sh"), *stdlib.glob("lib-dynload/*.so"))):
            archive.add(library)
        archive.add("/bin/sh", "bin/sh")
        for name in ("usr/local/bin/python3", "usr/local/bin/python"):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = tarfile.SYMTYPE, str(real)
            archive.addfile(link)
        folder = tarfile.TarInfo("tmp")
        folder.type, folder.mode = tarfile.DIRTYPE, 0o1777
        archive.addfile(folder)
    return content.getvalue()


def _libraries(programs: tuple[Path, ...]) -> list[str]:
    """The shared libraries that programs need."""
    listed = subprocess.run(["ldd", *programs], capture_output=True, text=True, check=False).stdout
    return sorted(set(re.findall(r"(/\S+\.so[.\d]*) \(", listed)))
