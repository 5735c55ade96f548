"""What did not arrive of a bundle, as the other side needs to know it to make just that again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from .layout import BLOBS
from .parts import Part, Parted
from .record import FileRecord, Record
from .tar_stream import StreamFile

if TYPE_CHECKING:
    from .bundle_bytes import NotWhole


class StreamAt(Record, frozen=True, kw_only=True):
    """The stream that the parts are windows of: where every byte of a part comes from."""

    part_size: int
    files: list[StreamFile]
    parts: list[Part]
    """Those that are wanted, as they must be."""


class RepairRequest(FileRecord, frozen=True, kw_only=True):
    """repair.json, which crosses the gap in the other direction: names, sums and sizes, no content."""

    lock_sha256: str
    """Of the bundle's lock: only the same lock can make the same bytes."""
    inventory_sha256: str | None = None
    """Of the inventory that the bundle was made since."""
    files: list[str]
    """Paths in the bundle that are wanted."""
    stream: StreamAt | None = None
    """For a bundle in parts."""

    @classmethod
    def of(cls, found: NotWhole) -> RepairRequest:
        """What is wrong with a bundle as a request."""
        bundle, names = found.bundle, [w.name for w in found.wrong]
        since = bundle.contents.since
        stream = None
        if isinstance(bundle.layout, Parted):
            listed = bundle.layout.parts
            wanted = [p for p in listed.parts if p.name in names]
            stream = StreamAt(part_size=listed.part_size, files=list(listed.files), parts=wanted)
        return cls(
            lock_sha256=bundle.contents.lock_sha256,
            inventory_sha256=since.inventory_sha256 if since else None,
            files=names,
            stream=stream,
        )

    @property
    def blobs(self) -> list[str]:
        """Digests of the blobs that are wanted of a bundle that is not in parts."""
        return [f.removeprefix(f"{BLOBS}/").replace("/", ":") for f in self.files if f.startswith(f"{BLOBS}/")]
