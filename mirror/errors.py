"""Every error that a person can cause or must act on: what was given, why it is wrong, what to give instead."""

from __future__ import annotations


class SealiftError(Exception):
    """The root of all errors that the command reports in one message, without a traceback.

    ``given`` is what was met, ``why`` why it cannot be used, ``instead`` what to do about it.
    ``exit_code`` is the process's exit status and part of the command's documented interface.
    """

    exit_code = 1

    def __init__(self, given: str, why: str, instead: str) -> None:
        super().__init__(f"{given}: {why}")
        self.given = given
        self.why = why
        self.instead = instead


class BadInput(SealiftError):
    """A file or an argument that cannot be used as it is."""

    exit_code = 2


class NotUpstream(SealiftError):
    """A source does not have what the catalog names, or not for the wanted platform."""

    exit_code = 3


class Undiscovered(SealiftError):
    """A manifest holds an image that is neither locked nor listed as not-an-image."""

    exit_code = 4


class LicenceRefused(SealiftError):
    """A licence outside the allow list."""

    exit_code = 5


class Damaged(SealiftError):
    """Content whose digest is not the one that was promised, or that is missing or unexpected."""

    exit_code = 6


class NoSpace(SealiftError):
    """A disk that cannot hold what is to be written; said before a byte moves."""

    exit_code = 7


class RegistryRefused(SealiftError):
    """A registry that refuses authentication, TLS, a pull or a push."""

    exit_code = 8


class NotInReceipt(SealiftError):
    """A name that the receipt does not hold: it never crossed the gap."""

    exit_code = 9


class WrongCluster(SealiftError):
    """A kubeconfig that reaches another cluster than the stack belongs to."""

    exit_code = 10


class ToolMissing(SealiftError):
    """A program that is needed and is not on PATH, or that failed."""

    exit_code = 11


class ChecksFailed(SealiftError):
    """The platform was reached and something about it is not as promised."""

    exit_code = 12


class Untrusted(SealiftError):
    """Signatures that are missing, by the wrong keys, too few, expired, or older than what was accepted before."""

    exit_code = 13


class WrongTarget(SealiftError):
    """A registry that is not the one a delta was made for: it lacks what the delta leaves out."""

    exit_code = 14


class InUse(SealiftError):
    """Something that is to be removed and that a running pod uses."""

    exit_code = 15


class Interrupted(SealiftError):
    """Ctrl-C: what was done so far stays, and the same command goes on from there."""

    exit_code = 130


class Terminated(Interrupted):
    """SIGTERM, as a machine that shuts down sends it: as after Ctrl-C."""

    exit_code = 143
