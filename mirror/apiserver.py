"""What an API server needs: Secrets unreadable in etcd, a name for every caller, an account of all that is done.

Formats: https://kubernetes.io/docs/tasks/administer-cluster/encrypt-data/,
https://kubernetes.io/docs/reference/config-api/apiserver-config.v1beta1/ (AuthenticationConfiguration).
"""

from __future__ import annotations

import base64
import secrets
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Any

import yaml

from .atomic import write_atomically
from .errors import BadInput
from .text import Loader

AUDIT = "audit-policy.yaml"
AUTHENTICATION = "authentication.yaml"
ENCRYPTION = "encryption.yaml"
FLAGS = "flags"
FILES = (AUDIT, AUTHENTICATION, ENCRYPTION, FLAGS)
"""What is written."""
"""The flags of kube-apiserver, one on a line."""
AUDIT_POLICY = Path(__file__).with_name("audit.yaml")

KEY_BYTES = 32  # what secretbox (XSalsa20 and Poly1305) takes
_HEALTH = ("/healthz", "/livez", "/readyz")
_UNIX = "unix://"


@dataclass(frozen=True)
class Keys:
    """What encrypts: the socket of a KMS v2 plugin if there is one, else the first key. The others only decrypt."""

    secretbox: tuple[str, ...] = ()
    """Keys of secretbox, base64, the newest first."""
    kms: PurePosixPath | None = None

    def next(self, *, kms: PurePosixPath | None, another: bool) -> Keys:
        """With ``kms``, if it is given, or a fresh random key first: if ``another`` is asked for, or nothing is there.

        Raises BadInput for another key beside a KMS plugin, which makes them itself.
        """
        held = replace(self, kms=kms or self.kms)
        if held.kms:
            if another:
                raise BadInput("another key", f"the KMS plugin at {held.kms} makes the keys", "Rotate them there.")
            return held
        if held.secretbox and not another:
            return held
        fresh = base64.b64encode(secrets.token_bytes(KEY_BYTES)).decode()
        return replace(held, secretbox=(fresh, *held.secretbox))


def encryption(keys: Keys) -> dict[str, Any]:
    """The EncryptionConfiguration of ``keys``.

    ``identity`` comes last: what was stored before encryption was switched on can still be read.
    """
    providers: list[dict[str, Any]] = []
    if keys.kms:
        endpoint = f"{_UNIX}{keys.kms}"
        providers.append({"kms": {"apiVersion": "v2", "name": "site-kms", "endpoint": endpoint, "timeout": "3s"}})
    if keys.secretbox:
        # A key's name is stored with what it encrypted, so it must stay when another comes before it.
        count = len(keys.secretbox)
        named = [{"name": f"key{count - i}", "secret": key} for i, key in enumerate(keys.secretbox)]
        providers.append({"secretbox": {"keys": named}})
    return {
        "apiVersion": "apiserver.config.k8s.io/v1",
        "kind": "EncryptionConfiguration",
        "resources": [{"resources": ["secrets"], "providers": [*providers, {"identity": {}}]}],
    }


def kept(path: Path) -> Keys:
    """The keys of the EncryptionConfiguration at ``path``; none when there is no such file.

    Raises BadInput for a file that sealift did not write: without its keys Secrets could no longer be read.
    """
    if not path.exists():
        return Keys()
    try:
        document = yaml.load(path.read_text(encoding="utf-8"), Loader)  # noqa: S506 - a safe loader
        [resources] = document["resources"]
        by_kind = {kind: given for provider in resources["providers"] for kind, given in provider.items()}
        secretbox = tuple(k["secret"] for k in by_kind.get("secretbox", {}).get("keys", []))
        kms = by_kind.get("kms")
        found = Keys(secretbox, PurePosixPath(kms["endpoint"].removeprefix(_UNIX)) if kms else None)
    except (AttributeError, KeyError, TypeError, ValueError, yaml.YAMLError, OSError):
        found, document = Keys(), None
    if document != encryption(found):
        raise BadInput(
            str(path),
            "it is no EncryptionConfiguration that sealift wrote, and it will not be overwritten",
            "Give another --output. Secrets that were written with its keys cannot be read without them.",
        )
    return found


def authentication() -> dict[str, Any]:
    """An AuthenticationConfiguration that lets nameless callers ask whether the server is well, and nothing else."""
    return {
        "apiVersion": "apiserver.config.k8s.io/v1beta1",  # served since 1.30; v1 only since 1.34
        "kind": "AuthenticationConfiguration",
        "anonymous": {"enabled": True, "conditions": [{"path": p} for p in _HEALTH]},
    }


def flags(directory: PurePosixPath, log: PurePosixPath) -> list[str]:
    """The flags of kube-apiserver for the files of ``write`` when they lie in ``directory`` on the node.

    The account goes to ``log``: at most eleven files of 100 MB, and none older than 30 days.
    """
    return [
        f"--audit-policy-file={directory / AUDIT}",
        f"--audit-log-path={log}",
        "--audit-log-maxsize=100",
        "--audit-log-maxbackup=10",
        "--audit-log-maxage=30",
        f"--authentication-config={directory / AUTHENTICATION}",
        f"--encryption-provider-config={directory / ENCRYPTION}",
        "--encryption-provider-config-automatic-reload=true",
    ]


def write(output: Path, *, directory: PurePosixPath, log: PurePosixPath, keys: Keys) -> list[Path]:
    """Write all files into ``output`` and return them; ``directory`` and ``log`` are paths on the node."""
    texts = {
        AUDIT: AUDIT_POLICY.read_text(encoding="utf-8"),
        AUTHENTICATION: yaml.safe_dump(authentication(), sort_keys=False),
        FLAGS: "".join(f"{flag}\n" for flag in flags(directory, log)),
    }
    for name, text in texts.items():
        write_atomically(output / name, text)
    write_atomically(output / ENCRYPTION, yaml.safe_dump(encryption(keys), sort_keys=False), mode=0o600)
    return [output / name for name in FILES]
