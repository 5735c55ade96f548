"""Whose certificates are believed: those of an authority in a file, and the system's, read when they are needed."""

from __future__ import annotations

import ssl
import threading
from pathlib import Path


class Authorities:
    """The system's authorities, and beside them those in ``ca_file`` (PEM).

    With a file its authorities are tried first. Reading the system's some hundred and forty takes as long as asking a
    registry for seventy manifests, so that waits for a certificate that the file's do not vouch for.
    """

    def __init__(self, ca_file: Path | None = None) -> None:
        self.context = ssl.create_default_context(cafile=ca_file)
        self.all = ca_file is None
        """Whether the system's are read already."""
        self._lock = threading.Lock()

    def read_all(self) -> None:
        """Believe the system's authorities too from now on."""
        with self._lock:
            if not self.all:
                self.context.load_default_certs()
                self.all = True
