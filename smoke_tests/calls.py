"""One HTTP call made by curl somewhere else (in a pod, on this machine), and what became of it."""

from __future__ import annotations

import json
from dataclasses import dataclass

from testinfra.host import Host

_MARK = "@@call"
_WRITE_OUT = rf"%{{stderr}}\n{_MARK}\n%{{json}}\n%header{{server}}\n%{{certs}}"
_NO_CURL = 127

# curl's exit codes, https://curl.se/docs/manpage.html#EXIT
TIMED_OUT, EMPTY_REPLY, SEND_FAILED, RECEIVE_FAILED = 28, 52, 55, 56


@dataclass(frozen=True)
class Call:
    """What curl saw. ``status`` is 0 when no HTTP answer came."""

    exit: int
    status: int
    body: str
    error: str
    resolved: str
    """The address that was connected to; empty when the name did not resolve or nothing answered."""
    connected: bool
    """A TCP connection was made (in a mesh: perhaps only to the caller's own sidecar)."""
    handshake: bool
    """A TLS handshake was finished from the caller's point of view."""
    server: str
    certificates: str
    """The server's certificate chain in curl's notation, PEM included."""
    trace: str
    """What curl said on the way; with ``--verbose`` every TLS message."""

    @property
    def reset(self) -> bool:
        """The other side took the connection and cut it without an HTTP answer."""
        return self.connected and self.status == 0 and self.exit in (EMPTY_REPLY, SEND_FAILED, RECEIVE_FAILED)

    @property
    def timed_out(self) -> bool:
        """No answer came in time, whoever took the connection."""
        return self.status == 0 and self.exit == TIMED_OUT

    @property
    def dropped(self) -> bool:
        """No answer at all to the attempt to connect: something on the way swallows it."""
        return not self.connected and self.timed_out

    @property
    def demands_certificate(self) -> bool:
        """The server asked for a client certificate and answered nothing without one (needs ``--verbose``).

        Whether the alert "certificate required" (RFC 8446, section 6.2) or the cut connection is seen first is a race.
        """
        return self.status == 0 and "Request CERT" in self.trace

    @property
    def summary(self) -> str:
        """In a few words."""
        if self.status:
            return f"HTTP {self.status}" + (f" from {self.server}" if self.server else "")
        return self.error or f"curl exit code {self.exit}"

    def reached(self, *, through_sidecar: bool) -> bool:
        """Whether a server outside answered.

        A sidecar accepts every connection itself and answers plain HTTP to an unknown place with 502 or 503 in
        Envoy's name, so in a mesh only a finished TLS handshake or another server's answer counts.
        """
        if not through_sidecar:
            return self.connected
        refused_by_sidecar = self.server == "envoy" and self.status in (502, 503)
        return self.handshake or (self.status > 0 and not refused_by_sidecar)


def call(host: Host, url: str, *options: str, seconds: int = 5) -> Call:
    """GET ``url`` from ``host`` without verifying certificates; the whole attempt takes at most ``seconds``."""
    limits = ("--connect-timeout", str(seconds), "--max-time", str(seconds))
    command = ("curl", "--silent", "--show-error", "--insecure", *limits, "--write-out", _WRITE_OUT, *options, url)
    done = host.run(" ".join(["%s"] * len(command)), *command)
    if done.rc == _NO_CURL or _MARK not in done.stderr:
        raise AssertionError(f"curl could not be run for {url}: {done.stderr.strip() or done.rc}")
    return parse(done.stdout, done.stderr)


def parse(stdout: str, stderr: str) -> Call:
    """A call from what curl printed with our write-out."""
    trace, _, written = stderr.partition(f"{_MARK}\n")
    facts, _, rest = written.partition("\n")
    server, _, certificates = rest.partition("\n")
    found = json.loads(facts)
    return Call(
        exit=int(found["exitcode"]),
        status=int(found["http_code"]),
        body=stdout,
        error=str(found.get("errormsg") or ""),
        resolved=str(found.get("remote_ip") or ""),
        connected=float(found["time_connect"]) > 0,
        handshake=float(found["time_appconnect"]) > 0,
        server=server.strip(),
        certificates=certificates,
        trace=trace,
    )


def resolver_answers(host: Host, address: str, *, port: int = 53, seconds: int = 5) -> bool:
    """Whether a DNS server at ``address`` answers a question for example.com over TCP (RFC 1035, 4.2.2)."""
    question = r"\000\035\253\315\001\000\000\001\000\000\000\000\000\000\007example\003com\000\000\001\000\001"
    limit = str(seconds)
    done = host.run(
        "printf %s | curl --silent --connect-timeout %s --max-time %s %s",
        question,
        limit,
        limit,
        f"telnet://{address}:{port}",
    )
    return bool(done.stdout_bytes)
