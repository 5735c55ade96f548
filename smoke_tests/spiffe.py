"""SPIFFE IDs: who a certificate says its holder is (https://github.com/spiffe/spiffe, X509-SVID)."""

from __future__ import annotations

import base64
import json
import re

_PEM = re.compile(r"-----BEGIN CERTIFICATE-----(.+?)-----END CERTIFICATE-----", re.DOTALL)
_SCHEME = b"spiffe://"


def in_certificate_chain(text: str) -> str | None:
    """The SPIFFE ID of the first PEM certificate in ``text`` (the leaf), or None.

    An X509-SVID has exactly one URI name. In the DER the byte before its text is its length, also in the long form
    (0x81 and the length) that begins at 128 bytes; the SPIFFE ID of an Istio workload is shorter than 256.
    """
    found = _PEM.search(text)
    if not found:
        return None
    der = base64.b64decode("".join(found[1].split()))
    start = der.find(_SCHEME)
    return der[start : start + der[start - 1]].decode("ascii") if start > 0 else None


def of_proxy(certs: str) -> str | None:
    """The SPIFFE ID of a sidecar's own certificate, from Envoy's admin ``/certs`` (JSON), or None.

    pilot-agent may log lines of its own before what it was asked for.
    """
    for certificate in json.loads(certs[certs.find("{") :]).get("certificates", []):
        for leaf in certificate.get("cert_chain", []):
            for name in leaf.get("subject_alt_names", []):
                if str(name.get("uri", "")).startswith(_SCHEME.decode()):
                    return str(name["uri"])
    return None


def workload(namespace: str, service_account: str) -> str:
    """The part of a workload's SPIFFE ID after the trust domain."""
    return f"/ns/{namespace}/sa/{service_account}"
