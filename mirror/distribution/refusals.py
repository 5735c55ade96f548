"""What a registry's failure means to the person in front of it."""

from __future__ import annotations

import json
import socket
import ssl
from http.client import HTTPException

from ..errors import NotUpstream, RegistryRefused, SealiftError

LOG_IN = "Log in, or give credentials that may do this by --authfile."
SEE_THAT_IT_RUNS = (
    "See that the registry runs and that this machine reaches it; then run the command again: it continues."
)


def of_status(subject: str, status: int, body: bytes) -> SealiftError:
    """The error that an answer with ``status`` means."""
    why = f"{message(body) or 'no reason given'} (status {status})"
    if status in (401, 403):
        return RegistryRefused(subject, why, LOG_IN)
    if status == 404:
        return NotUpstream(subject, why, "Correct the name or the version, or the digest if upstream withdrew it.")
    if status == 405:
        return RegistryRefused(subject, f"{why}: it may be read-only", "Make it writable, or name another registry.")
    if status == 429:
        return RegistryRefused(subject, why, "The registry limits the rate: wait, or log in for a higher limit.")
    return RegistryRefused(subject, why, SEE_THAT_IT_RUNS if status >= 500 else "Read the registry's message.")


def of_failure(subject: str, e: Exception) -> SealiftError:
    """The error that a connection's failure means."""
    if isinstance(e, ssl.SSLCertVerificationError):
        return RegistryRefused(
            subject,
            f"its certificate is not trusted: {e.verify_message}",
            "Give the certificate of the authority that signed the registry's, as PEM, by --ca-file.",
        )
    if isinstance(e, ssl.SSLError) and e.reason in ("WRONG_VERSION_NUMBER", "HTTP_REQUEST", "RECORD_LAYER_FAILURE"):
        return RegistryRefused(
            subject, "it does not speak TLS", "The registry speaks plain HTTP: give it a certificate."
        )
    return RegistryRefused(subject, _reason(e), SEE_THAT_IT_RUNS)


def message(body: bytes) -> str:
    """What the registry says: its own error document's messages, or the text's first line."""
    try:
        errors = json.loads(body)["errors"]
        return "; ".join(str(e.get("message") or e.get("code")) for e in errors)
    except (ValueError, KeyError, TypeError, AttributeError):
        lines = body[:2000].decode(errors="replace").strip().splitlines()
        return lines[0][:200] if lines else ""


def _reason(e: Exception) -> str:
    if isinstance(e, TimeoutError):
        return "it did not answer in time"
    if isinstance(e, socket.gaierror):
        return "no such host"
    if isinstance(e, HTTPException):
        return f"it broke off the answer ({type(e).__name__})"
    if isinstance(e, OSError):
        return (e.strerror or str(e)).lower()
    return str(e)
