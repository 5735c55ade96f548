"""Installs what a bundle brings for an operator's machine. Goes into the bundle's file ``bootstrap`` as text.

The standard library is all it may use: it runs on machines that have nothing else. ``LISTED`` is filled in when the
bundle is made: ``machines`` (what ``uname -m`` says -> platform), ``tools`` and ``wheels`` with the sha256 of each.
"""

from __future__ import annotations

import argparse
import contextlib
import errno
import hashlib
import json
import os
import shlex
import shutil
import signal
import subprocess
import sys
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

LISTED: dict[str, Any] = json.loads("{}")
PIECE = 1 << 20
BLOCK = 512


class Refused(Exception):
    """What is wrong, why, and what to do instead; ``code`` is the exit status (README: exit codes)."""

    def __init__(self, code: int, given: str, why: str, instead: str) -> None:
        super().__init__(f"{given}\n  why: {why}\n  instead: {instead}")
        self.code = code


class Blobs:
    """The bundle's blobs: files, or places in its parts, which are windows of one tar stream (docs/packer.md)."""

    def __init__(self, bundle: Path) -> None:
        self.bundle = bundle
        self.part_size = 0
        self.places: dict[str, tuple[int, int]] = {}
        listed = bundle / "parts.json"
        if listed.is_file():
            said = json.loads(listed.read_bytes())
            self.part_size, offset = said["part_size"], 0
            for file in said["files"]:
                self.places[file["path"]] = (offset + BLOCK, file["size"])
                offset += BLOCK + -(-file["size"] // BLOCK) * BLOCK

    def copy(self, sha256: str, target: Path) -> str | None:
        """Write the blob to ``target``; why it is not the blob, or None."""
        hashed = hashlib.sha256()
        try:
            with target.open("wb") as written:
                for piece in self._pieces(f"blobs/sha256/{sha256}"):
                    hashed.update(piece)
                    written.write(piece)
        except (FileNotFoundError, KeyError):
            return "missing"
        return None if hashed.hexdigest() == sha256 else f"its sha256 is {hashed.hexdigest()}"

    def _pieces(self, path: str) -> Iterator[bytes]:
        if not self.part_size:
            with (self.bundle / path).open("rb") as f:
                while piece := f.read(PIECE):
                    yield piece
            return
        start, left = self.places[path]
        while left:
            number, offset = divmod(start, self.part_size)
            with (self.bundle / "parts" / f"{number + 1:04}").open("rb") as f:
                f.seek(offset)
                piece = f.read(min(left, self.part_size - offset, PIECE))
            if not piece:
                return
            yield piece
            start, left = start + len(piece), left - len(piece)


def main(arguments: list[str]) -> int:
    """Install; returns the exit status. The first argument is the bundle's directory."""
    parser = argparse.ArgumentParser(prog="bootstrap", description="Sets up an operator's machine from a bundle.")
    parser.add_argument("bundle", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--prefix", type=Path, required=True, help="The directory to make, such as /opt/sealift.")
    given = parser.parse_args(arguments)
    for ending in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.default_int_handler)
    os.umask(0o022)
    try:
        install(given.bundle, Path(os.path.abspath(given.prefix)))  # noqa: PTH100 - links stay
    except Refused as e:
        print(e, file=sys.stderr)
        return e.code
    except OSError as e:
        full = e.errno in (errno.ENOSPC, errno.EDQUOT)
        print(f"{e.filename or given.prefix}\n  why: {e.strerror or e}", file=sys.stderr)
        print(f"  instead: {'Make room' if full else 'Mend that'} and run this again.", file=sys.stderr)
        return 7 if full else 2
    except KeyboardInterrupt:
        print("interrupted\n  why: it was asked to end\n  instead: Run this again.", file=sys.stderr)
        return 130
    return 0


def install(bundle: Path, prefix: Path) -> None:
    """Everything, in a directory beside ``prefix`` that gets its name when all is there; raises Refused, OSError."""
    platform = LISTED["machines"].get(os.uname().machine)
    if platform is None:
        why = f"the bundle is for {', '.join(LISTED['machines'])}"
        raise Refused(2, f"this machine, {os.uname().machine}", why, "Ask for a bundle for it.")
    if os.path.lexists(prefix):
        raise Refused(2, f"--prefix {prefix}", "it is there already", "Give another one, or move it away.")
    if not prefix.parent.is_dir():
        raise Refused(2, f"--prefix {prefix}", "its parent is no directory", "Make that, or give another one.")
    python = f"{sys.version_info[0]}.{sys.version_info[1]}"
    wheels = [w for w in LISTED["wheels"] if f"{platform} {python}" in w["targets"]]
    tools = [t for t in LISTED["tools"] if t["platform"] == platform]
    partial = prefix.with_name(f".{prefix.name}.partial")
    if os.path.lexists(partial):
        shutil.rmtree(partial)  # A run that was killed left it.
    partial.mkdir()
    try:
        fetched = partial / "fetched"
        fetched.mkdir()
        say(f"{len(wheels)} wheels and {len(tools)} tools are read and compared with their sums")
        fetch(Blobs(bundle), wheels, tools, fetched)
        say(f"the virtual environment, with Python {python}")
        environment(partial, prefix, wheels, fetched)
        say("the tools")
        for tool in tools:
            place(tool, fetched / tool["sha256"], partial)
        (partial / "environment").write_text(variables(prefix))
        shutil.rmtree(fetched)
        partial.rename(prefix)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    print(goodbye(bundle, prefix), flush=True)


def fetch(blobs: Blobs, wheels: list[dict[str, Any]], tools: list[dict[str, Any]], into: Path) -> None:
    """Copy all files out of the bundle, wheels by their names and tools by their sums; raises Refused naming all that
    are not what they should be.
    """
    wanted = [(w["file"], w["sha256"], into / w["file"]) for w in wheels]
    wanted += [(f"{t['name']} {t['version']}", t["sha256"], into / t["sha256"]) for t in tools]
    wrong = [f"{name}: {why}" for name, sha256, target in wanted if (why := blobs.copy(sha256, target))]
    if wrong:
        raise Refused(
            6,
            f"{blobs.bundle}",
            "; ".join(wrong),
            "Carry the bundle again; where sealift is installed, `sealift bundle verify --request` says what of it.",
        )


def environment(partial: Path, prefix: Path, wheels: list[dict[str, Any]], fetched: Path) -> None:
    """A virtual environment with the wheels, which works once ``partial`` is called ``prefix``; raises Refused."""
    venv = partial / "venv"
    run([sys.executable, "-I", "-m", "venv", "--without-pip", str(venv)], fetched, "Install Python's module venv.")
    required = fetched / "requirements.txt"
    required.write_text("".join(f"{w['name']}=={w['version']} --hash=sha256:{w['sha256']}\n" for w in wheels))
    pip = next(w["file"] for w in wheels if w["name"] == "pip")
    options = ["--no-index", "--find-links", str(fetched), "--no-deps", "--require-hashes", "--only-binary", ":all:"]
    options += ["--no-compile", "--no-cache-dir", "--no-input", "--disable-pip-version-check", "--quiet"]
    # Debian's Python has no pip of its own; a wheel of pip can be run as it is.
    python = str(venv / "bin" / "python")
    command = [python, "-I", f"{fetched / pip}/pip", "install", *options, "--requirement", str(required)]
    run(command, fetched, "Look at its message: the C library may be older than the bundle's wheels.")
    for file in [venv / "pyvenv.cfg", *(venv / "bin").iterdir()]:
        if file.is_file() and not file.is_symlink():
            content = file.read_bytes()
            if str(partial).encode() in content:
                file.write_bytes(content.replace(str(partial).encode(), str(prefix).encode()))
    compiled = [python, "-I", "-m", "compileall", "-q", "-j", "0", "-s", str(partial), "-p", str(prefix)]
    subprocess.run([*compiled, str(venv / "lib")], capture_output=True)  # What cannot be compiled is a template.
    (partial / "bin").mkdir()
    (partial / "bin" / LISTED["project"]).symlink_to(Path("..", "venv", "bin", LISTED["project"]))


def run(command: list[str], home: Path, instead: str) -> None:
    """Run ``command`` apart from all settings of the machine and its user; raises Refused with what it said."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON", "VIRTUAL_ENV"))}
    clean = {**kept, "PIP_CONFIG_FILE": os.devnull, "HOME": str(home), "TMPDIR": str(home)}
    done = subprocess.run(command, env=clean, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if done.returncode:
        said = (done.stderr or done.stdout).strip()[-2000:]
        raise Refused(11, " ".join(command[:4]), f"exit status {done.returncode}: {said}", instead)


def place(tool: dict[str, Any], file: Path, partial: Path) -> None:
    """Put a tool's programs into ``bin``, or a plugin where Pulumi looks for it. ``file`` was compared with its sum,
    and what is in it was looked at when it was locked.
    """
    for program, member in tool["programs"].items():
        target = partial / "bin" / program
        if member is None:
            shutil.copyfile(file, target)
        else:
            with tarfile.open(file) as archive:
                write(archive, archive.getmember(member), target)
        target.chmod(0o755)
    if tool["plugin"]:
        directory = partial / "pulumi" / "plugins" / tool["plugin"]
        with tarfile.open(file) as archive:
            for entry in archive:
                if entry.isreg():
                    target = directory.joinpath(*(p for p in entry.name.split("/") if p not in ("", ".", "..")))
                    target.parent.mkdir(parents=True, exist_ok=True)
                    write(archive, entry, target)
                    target.chmod(0o755 if entry.mode & 0o100 else 0o644)


def write(archive: tarfile.TarFile, entry: tarfile.TarInfo, target: Path) -> None:
    """Write the content of ``entry`` to ``target``."""
    content: IO[bytes] | None = archive.extractfile(entry)
    if content is None:
        raise Refused(6, entry.name, "it is no file", "Do not use this bundle.")
    with contextlib.closing(content), target.open("wb") as f:
        shutil.copyfileobj(content, f, PIECE)


def variables(prefix: Path) -> str:
    """The file ``environment``: what a shell needs to find everything."""
    at = shlex.quote(str(prefix))
    return f"""# . {prefix}/environment
export PATH={at}/bin:{at}/venv/bin:"$PATH"
export PULUMI_HOME={at}/pulumi
export PULUMI_SKIP_UPDATE_CHECK=1
export PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION=1
"""


def goodbye(bundle: Path, prefix: Path) -> str:
    """What to do next."""
    at, carried = shlex.quote(str(prefix)), shlex.quote(str(bundle))
    return f"""{prefix}: installed, from the bundle of lock {LISTED["lock"]}
next:
  . {at}/environment
  sealift trust init root.json --trust trust    # the root comes by another way than the bundle
  sealift bundle verify {carried} --trust trust    # proves by its signatures whose bundle this is
  sealift load {carried} --registry HOST --trust trust --output site"""


def say(what: str) -> None:
    """A line of progress."""
    print(f"  {what}", flush=True)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
