"""What a wheel says of itself: name and version by its file's name, the licence by its metadata."""

from __future__ import annotations

import zipfile
from email.parser import BytesHeaderParser
from pathlib import Path

from packaging.utils import InvalidWheelFilename, canonicalize_name, parse_wheel_filename

from .. import licences
from ..errors import BadInput, Damaged

LARGEST = 4 << 20
"""Bytes of metadata that are read."""


def name_and_version(filename: str) -> tuple[str, str]:
    """Canonical name and version; raises BadInput for what is not called as wheels are."""
    try:
        name, version, _, _ = parse_wheel_filename(filename)
    except InvalidWheelFilename as e:
        raise BadInput(filename, str(e), "Give a wheel: name-version-python-abi-platform.whl.") from e
    return canonicalize_name(name), str(version)


def licence(path: Path) -> str | None:
    """The SPDX expression in the metadata of the wheel at ``path``, or None; raises Damaged for what is no wheel.

    ``License-Expression`` is one (PEP 639); ``License``, which is free text, counts where it is one all the same.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            (info,) = [i for i in archive.infolist() if _is_metadata(i.filename)]
            with archive.open(info) as f:
                headers = BytesHeaderParser().parsebytes(f.read(LARGEST))
    except (zipfile.BadZipFile, OSError, ValueError) as e:
        raise Damaged(str(path), f"it is no wheel: {e}", "Ask whoever made it.") from e
    said = headers["License-Expression"] or headers["License"]
    return str(said).strip() if said and _is_expression(str(said).strip()) else None


def _is_metadata(name: str) -> bool:
    directory, _, file = name.partition("/")
    return file == "METADATA" and directory.endswith(".dist-info")


def _is_expression(text: str) -> bool:
    try:
        return bool(text) and bool(licences.named("a wheel", text))
    except BadInput:
        return False
