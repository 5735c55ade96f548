"""A signature beside a file: how an inventory shows which site wrote it; DSSE's, without the payload."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

from securesystemslib.dsse import Envelope
from securesystemslib.exceptions import VerificationError
from securesystemslib.signer import Key, Signature, Signer

from ..atomic import write_atomically
from ..errors import BadInput, Untrusted

TYPE = "application/vnd.sealift.inventory+json"


def beside(file: Path) -> Path:
    """Where the signature of ``file`` lies."""
    return file.with_name(f"{file.name}.sig")


def sign(file: Path, signers: Sequence[Signer]) -> Path:
    """Write the signatures of ``signers`` beside ``file``; returns where."""
    envelope = Envelope(file.read_bytes(), TYPE, {})
    for signer in signers:
        envelope.sign(signer)
    signatures = [s.to_dict() for s in envelope.signatures.values()]
    write_atomically(beside(file), json.dumps({"payloadType": TYPE, "signatures": signatures}, indent=1) + "\n")
    return beside(file)


def verify(file: Path, keys: Sequence[Key]) -> None:
    """Raise Untrusted unless one of ``keys`` signed ``file``; BadInput for what cannot be read."""
    try:
        content, signature = file.read_bytes(), beside(file).read_bytes()
    except OSError as e:
        raise BadInput(str(file), f"{e.filename}: {e.strerror}", "Carry the file and its .sig together.") from e
    try:
        data = json.loads(signature)
        signatures = {s["keyid"]: Signature.from_dict(dict(s)) for s in data["signatures"]}
        Envelope(content, str(data["payloadType"]), signatures).verify(list(keys), 1)
        if data["payloadType"] != TYPE:
            raise VerificationError(f"a signature of {data['payloadType']}")
    except (ValueError, KeyError, TypeError, AttributeError, VerificationError) as e:
        raise Untrusted(
            str(file), f"none of the keys that were given signed it: {e}", "Ask that site which key it signs with."
        ) from e
