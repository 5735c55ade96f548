"""What stands upstream in tests of the transport: images of given layers and a model, in a registry of this process."""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass, field
from pathlib import Path

from mirror.bundle_create import Order
from mirror.distribution.endpoint import Client, Patience
from mirror.layout import OCI_CONFIG, OCI_INDEX, OCI_LAYER, OCI_MANIFEST, Descriptor, digest, encode
from mirror.lock import Lock, LockedFile, LockedImage, LockedModel
from mirror.registry import Upstream
from mirror.source_map import SourceMap

from .distribution.fake import FakeRegistry


def client() -> Client:
    return Client(patience=Patience(timeout=60, sleep=lambda _: None))


def blob(seed: str, size: int) -> bytes:
    return random.Random(seed).randbytes(size)


@dataclass
class Upside:
    """An upstream with images of given layers, and a directory with a model."""

    fake: FakeRegistry
    directory: Path
    """Of locks, bundles and the model's files."""
    images: dict[str, list[bytes]] = field(default_factory=dict)
    model: dict[str, bytes] = field(default_factory=dict)

    def lock(self, name: str = "sealift.lock") -> Path:
        files = [
            LockedFile(name=n, sha256=hashlib.sha256(c).hexdigest(), size=len(c)) for n, c in sorted(self.model.items())
        ]
        (self.directory / "own").mkdir(exist_ok=True)
        for n, c in self.model.items():
            (self.directory / "own" / n).write_bytes(c)
        revision = hashlib.sha256(repr(files).encode()).hexdigest()
        model = LockedModel(
            name="own", origin="directory/own", revision=revision, licence="MIT", files=files, source="directory"
        )
        made = Lock(
            kubernetes="1.34",
            platforms=["linux/amd64"],
            parts=[],
            images=[self.publish(r, layers) for r, layers in sorted(self.images.items())],
            models=[model] if files else [],
            runtimes=[],
            exclusions=[],
        )
        made.write(self.directory / name)
        return self.directory / name

    def publish(self, reference: str, layers: list[bytes]) -> LockedImage:
        repository = reference.partition("/")[2].partition(":")[0]
        config = encode({"architecture": "amd64", "os": "linux", "of": reference})
        manifest = encode(
            {
                "schemaVersion": 2,
                "mediaType": OCI_MANIFEST,
                "config": Descriptor.of(OCI_CONFIG, config).json(),
                "layers": [Descriptor.of(OCI_LAYER, c).json() for c in layers],
            }
        )
        platform = {"os": "linux", "architecture": "amd64"}
        index = encode(
            {
                "schemaVersion": 2,
                "mediaType": OCI_INDEX,
                "manifests": [{**Descriptor.of(OCI_MANIFEST, manifest).json(), "platform": platform}],
            }
        )
        for content in (config, *layers):
            self.fake.put_blob(repository, content)
        held = self.fake.manifests.setdefault(repository, {})
        held |= {digest(manifest): manifest, digest(index): index}
        return LockedImage(
            reference=reference,
            digest=digest(index),
            upstream_digest=digest(index),
            media_type=OCI_INDEX,
            platforms=["linux/amd64"],
            size=len(index) + len(manifest) + len(config) + sum(map(len, layers)),
            licence="MIT",
            found=["part: Pod/x spec"],
        )

    def order(self, output: str, lock: Path | None = None, through: str | None = None, **more: object) -> Order:
        """``through`` is the host of a proxy that stands before the registry."""
        mapped = SourceMap(hosts={"up.test": f"http://{through or self.fake.host}"})
        return Order(
            lock or self.lock(),
            self.directory / output,
            Upstream(mapped, client()),
            mapped,
            {"own": self.directory / "own"},
            **more,  # type: ignore[arg-type]
        )
