"""The other engine: skopeo, for what it alone speaks, and to check our own against it."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from . import skopeo
from .distribution.pull import Target
from .errors import BadInput, Damaged, NotUpstream, RegistryRefused
from .layout import DOCKER_MANIFEST, Descriptor, Layout, digest, links, media_type, read_segments
from .reference import Reference
from .source_map import SourceMap

RETRIES = 2
"""How often a copy is tried again; skopeo waits 1 s, then 2 s."""


@dataclass(frozen=True)
class SkopeoUpstream:
    """The registries of the connected side, hosts replaced by a source map."""

    source_map: SourceMap = field(default_factory=SourceMap.none)
    engine: skopeo.Engine = field(default_factory=skopeo.find)

    def raw_manifest(self, reference: Reference) -> bytes:
        """See :class:`Source`."""
        name, options = self._from(reference)
        content = skopeo.run(self.engine, ["inspect", "--raw", *options, name], [], str(reference))
        if reference.digest and digest(content) != reference.digest:
            raise Damaged(str(reference), f"the registry answered with {digest(content)}", "Ask another mirror.")
        return content

    def referrers(self, reference: Reference) -> bytes | None:
        """See :class:`Source`: skopeo does not speak that API."""
        return None

    def fetch(self, reference: Reference, d: Descriptor, target: Target) -> None:
        """See :class:`Source`: skopeo copies whole images, so the blob is read out of such a copy."""
        with tempfile.TemporaryDirectory(prefix="sealift-skopeo-") as scratch:
            layout = Layout(Path(scratch) / "layout")
            layout.path.mkdir()
            self.copy_blobs(reference, self.raw_manifest(reference), layout, Path(scratch) / "copy")
            target.restart()
            for piece in read_segments(layout.segments(d.digest), memoryview(bytearray(1 << 20))):
                target.write(piece)

    def copy_blobs(self, reference: Reference, manifest: bytes, layout: Layout, scratch: Path) -> None:
        """Bring config and layers of ``manifest`` into ``layout``; ``scratch`` is a new directory beside it.

        A Docker manifest cannot stand in skopeo's OCI layout, so skopeo converts its copy of it; the blobs are the
        same, and the caller stores the manifest's own bytes. Copies that run at the same time share the blob
        directory but never an index (https://github.com/containers/skopeo/issues/2184).
        """
        layout.blobs.mkdir(parents=True, exist_ok=True)
        name, options = self._from(reference)
        keep = [] if media_type(manifest, str(reference)) == DOCKER_MANIFEST else ["--preserve-digests"]
        arguments = ["copy", "--quiet", "--retry-times", str(RETRIES), *keep, *[f"--src-{o[2:]}" for o in options]]
        arguments += ["--dest-oci-accept-uncompressed-layers", "--dest-shared-blob-dir", str(layout.blobs)]
        shutil.rmtree(scratch, ignore_errors=True)
        scratch.mkdir(parents=True)
        skopeo.run(self.engine, [*arguments, name, f"oci:{scratch}"], [layout.blobs, scratch], str(reference))
        for d in links(manifest, str(reference)):
            if not layout.has(d):
                raise Damaged(str(reference), f"{d.digest} did not arrive in full", "Run the command again.")

    def _from(self, reference: Reference) -> tuple[str, list[str]]:
        name, plain = self.source_map.image(reference.pinned() if reference.digest else reference)
        return f"docker://{name}", ["--tls-verify=false"] if plain else []


@dataclass(frozen=True)
class SkopeoInternal:
    """The registry inside. Always TLS: ``certificates`` is a directory with the authority's ``*.crt``, or None."""

    authfile: Path | None = None
    certificates: Path | None = None
    engine: skopeo.Engine = field(default_factory=skopeo.find)

    def holds(self, reference: Reference) -> bool:
        """Whether the registry answers for ``reference`` (by digest) with exactly these bytes.

        Raises RegistryRefused when it cannot be asked.
        """
        arguments = ["inspect", "--raw", *self._options(""), f"docker://{reference.pinned()}"]
        try:
            content = skopeo.run(self.engine, arguments, self._paths(), str(reference))
        except NotUpstream:
            return False
        return digest(content) == reference.digest

    def raw_manifest(self, reference: Reference) -> bytes:
        """The bytes at ``reference``; raises NotUpstream, RegistryRefused, or Damaged (other digest)."""
        name = reference.pinned() if reference.digest else reference
        content = skopeo.run(
            self.engine, ["inspect", "--raw", *self._options(""), f"docker://{name}"], self._paths(), str(reference)
        )
        if reference.digest and digest(content) != reference.digest:
            raise Damaged(str(reference), f"the registry answered with {digest(content)}", "Load the bundle again.")
        return content

    def copy_blobs(self, reference: Reference, layout: Layout, scratch: Path) -> None:
        """Bring what the manifest at ``reference`` (by digest) points to into ``layout``; ``scratch`` is new."""
        layout.blobs.mkdir(parents=True, exist_ok=True)
        scratch.mkdir(parents=True)
        arguments = ["copy", "--quiet", "--preserve-digests", "--retry-times", str(RETRIES), *self._options("src-")]
        arguments += ["--dest-oci-accept-uncompressed-layers", "--dest-shared-blob-dir", str(layout.blobs)]
        paths = [layout.blobs, scratch, *self._paths()]
        skopeo.run(self.engine, [*arguments, f"docker://{reference.pinned()}", f"oci:{scratch}"], paths, str(reference))

    def push(self, layout: Layout, entry: Descriptor, target: Reference, scratch: Path) -> None:
        """Send ``entry`` of ``layout`` with all that it points to; ``target`` has a tag or a digest.

        ``scratch`` is a new directory that holds a layout of this one entry. Raises RegistryRefused.
        """
        Layout(scratch).write_index([Descriptor(entry.media_type, entry.digest, entry.size)])
        arguments = ["copy", "--quiet", "--all", "--preserve-digests", "--retry-times", str(RETRIES)]
        arguments += [*self._options("dest-"), "--src-shared-blob-dir", str(layout.blobs)]
        arguments += [f"oci:{scratch}", f"docker://{target}"]
        try:
            skopeo.run(self.engine, arguments, [layout.blobs, scratch, *self._paths()], str(target))
        except NotUpstream as e:
            raise RegistryRefused(e.given, e.why, "See that the registry takes pushes to this path.") from e

    def _options(self, prefix: str) -> list[str]:
        options = ["--authfile", str(self.authfile)] if self.authfile else []
        return options + ([f"--{prefix}cert-dir", str(self.certificates)] if self.certificates else [])

    def _paths(self) -> Sequence[Path]:
        return [p for p in (self.authfile, self.certificates) if p]


@contextmanager
def internal(ca_file: Path | None, authfile: Path | None) -> Iterator[SkopeoInternal]:
    """The internal registry, trusted by ``ca_file`` (PEM) beside the system's; raises BadInput for unreadable files."""
    for path in (ca_file, authfile):
        if path and not path.is_file():
            raise BadInput(str(path), "no such file", "Give a readable file.")
    with tempfile.TemporaryDirectory(prefix="sealift-ca-") as certificates:
        if ca_file:
            shutil.copyfile(ca_file, Path(certificates) / "ca.crt")
        yield SkopeoInternal(authfile, Path(certificates) if ca_file else None)
