"""Real keys, real roots and small bundles that are signed with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from securesystemslib.signer import CryptoSigner, Signer
from tuf.api.metadata import Metadata, Root

from mirror.layout import METADATA
from mirror.signing import release, roots
from mirror.signing.trust import Trust

NOW = datetime.now(UTC)


@dataclass
class People:
    """Who signs: their keys, the chain of roots they made, and where bundles are."""

    directory: Path
    root: list[Signer] = field(default_factory=list)
    releasers: list[Signer] = field(default_factory=list)

    @property
    def roots(self) -> Path:
        return self.directory / "roots"

    def powers(self, root_threshold: int = 1, release_threshold: int = 1, days: int = 365) -> roots.Powers:
        return roots.Powers(
            [s.public_key for s in self.root],  # type: ignore[misc]
            root_threshold,
            [s.public_key for s in self.releasers],  # type: ignore[misc]
            release_threshold,
            NOW + timedelta(days=days),
        )

    def establish(self, powers: roots.Powers | None = None) -> Path:
        first: Metadata[Root] = roots.compose(powers or self.powers(), 1)
        roots.endorse(first, self.root, None)
        return roots.write(first, self.roots)

    def bundle(self, name: str, content: str = "lock") -> Path:
        made = self.directory / name
        (made / "blobs").mkdir(parents=True)
        (made / "sealift.lock").write_text(content)
        (made / "index.json").write_text("{}")
        return made

    def sign(
        self,
        bundle: Path,
        version: int,
        by: list[Signer] | None = None,
        days: float = 90,
        directory: Path | None = None,
    ) -> release.Signed:
        expires = (NOW + timedelta(days=days)).replace(microsecond=0)
        return release.sign(bundle, directory or self.roots, by or self.releasers, expires, version, NOW)

    def signed(self, version: int, content: str = "lock") -> Path:
        made = self.bundle(f"bundle-{version}", content)
        self.sign(made, version)
        return made

    def trust(self, root_file: Path | None = None) -> Trust:
        trust = Trust(self.directory / "trust")
        trust.pin(root_file or roots.path(self.roots, 1))
        return trust


def ed25519() -> Signer:
    return CryptoSigner.generate_ed25519()


@pytest.fixture
def people(tmp_path: Path) -> People:
    """One root key and one release key, of the two kinds, and a first root."""
    made = People(tmp_path, [ed25519()], [CryptoSigner.generate_ecdsa()])
    made.establish()
    return made


def metadata(bundle: Path, role: str) -> Path:
    return bundle / METADATA / f"{role}.json"
