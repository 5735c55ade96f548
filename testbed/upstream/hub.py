"""Stands for huggingface.co: the part of its HTTP interface that huggingface-hub 2 asks to download a snapshot.

The interface: https://huggingface.co/docs/hub/api and huggingface_hub's hf_api.py and file_download.py.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from .models import StandIn

CDN = "_cdn"
"""Where large files are sent to, as the real hub sends them to another host."""
_LARGE = (".safetensors",)
_API = re.compile(
    r"/api/models/(?P<repo>[^/]+/[^/]+)(?:/(?P<what>revision|tree)/(?P<revision>[^/]+)(?:/(?P<below>.*))?)?"
)
_RESOLVE = re.compile(r"/(?P<repo>[^/]+/[^/]+)/resolve/(?P<revision>[^/]+)/(?P<file>.+)")
_CDN = re.compile(rf"/{CDN}/(?P<sha256>[0-9a-f]{{64}})")


@dataclass(frozen=True)
class Answer:
    """A response: a JSON document, a file, or neither; ``headers`` beside those of the content."""

    status: int
    document: Any = None
    file: Path | None = None
    headers: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Repository:
    """A model repository with a single commit, which its branch main names."""

    model: StandIn
    directory: Path

    @cached_property
    def files(self) -> dict[str, StoredFile]:
        """Every file by its path in the repository."""
        names = sorted(p.relative_to(self.directory).as_posix() for p in self.directory.rglob("*") if p.is_file())
        return {n: StoredFile(n, self.directory / n) for n in names}

    def has(self, revision: str) -> bool:
        """Whether ``revision`` names the commit."""
        return unquote(revision) in (self.model.commit, "main", "refs/heads/main")


@dataclass(frozen=True)
class StoredFile:
    """A file of a repository, small in git or large beside it."""

    name: str
    path: Path

    @cached_property
    def sha256(self) -> str:
        """Of the content, hex."""
        return hashlib.sha256(self.path.read_bytes()).hexdigest()

    @cached_property
    def blob_id(self) -> str:
        """git's object id: of the content, or of the pointer that stands for a large file."""
        data = self.pointer if self.large else self.path.read_bytes()
        return hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()

    @property
    def size(self) -> int:
        """Bytes."""
        return self.path.stat().st_size

    @property
    def large(self) -> bool:
        """Whether git holds a pointer only (Git LFS)."""
        return self.path.name.endswith(_LARGE)

    @property
    def pointer(self) -> bytes:
        """https://github.com/git-lfs/git-lfs/blob/main/docs/spec.md"""
        spec = "version https://git-lfs.github.com/spec/v1"
        return f"{spec}\noid sha256:{self.sha256}\nsize {self.size}\n".encode()

    @property
    def etag(self) -> str:
        """What a client may name its copy by: the digest of a large file, git's object id of a small one."""
        return f'"{self.sha256 if self.large else self.blob_id}"'


@dataclass(frozen=True)
class Hub:
    """Answers for its repositories; every other is not found, as on the real hub without a token (401)."""

    repositories: Sequence[Repository]

    def answer(self, path: str, query: str, cdn: str) -> Answer:
        """The answer to GET or HEAD of ``path`` below the hub's address; ``cdn`` is where large files are."""
        if found := _CDN.fullmatch(path):
            return self._content(found["sha256"])
        if found := _API.fullmatch(path):
            repository = self._at(found["repo"], found["revision"] or "main")
            return repository if isinstance(repository, Answer) else _about(repository, found, parse_qs(query))
        if found := _RESOLVE.fullmatch(path):
            repository = self._at(found["repo"], found["revision"])
            return repository if isinstance(repository, Answer) else _file(repository, unquote(found["file"]), cdn)
        return Answer(404, {"error": "Not found"})

    def _at(self, repo: str, revision: str) -> Repository | Answer:
        repository = next((r for r in self.repositories if r.model.repository == repo), None)
        if repository is None:
            return Answer(401, {"error": "Repository not found"}, headers=(("X-Error-Code", "RepoNotFound"),))
        if not repository.has(revision):
            return Answer(404, {"error": "Invalid rev id"}, headers=(("X-Error-Code", "RevisionNotFound"),))
        return repository

    def _content(self, sha256: str) -> Answer:
        for file in (f for r in self.repositories for f in r.files.values()):
            if file.large and file.sha256 == sha256:
                return Answer(200, file=file.path, headers=(("ETag", file.etag),))
        return Answer(404, {"error": "Not found"})


def _about(repository: Repository, found: re.Match[str], query: dict[str, list[str]]) -> Answer:
    if found["what"] == "tree":
        return Answer(200, _tree(repository, found["below"] or "", recursive=query.get("recursive") == ["true"]))
    return Answer(200, _info(repository, blobs="blobs" in query))


def _file(repository: Repository, name: str, cdn: str) -> Answer:
    commit = ("X-Repo-Commit", repository.model.commit)
    file = repository.files.get(name)
    if file is None:
        return Answer(404, {"error": "Entry not found"}, headers=(("X-Error-Code", "EntryNotFound"), commit))
    if not file.large:
        return Answer(200, file=file.path, headers=(commit, ("ETag", file.etag)))
    linked = (("X-Linked-Size", str(file.size)), ("X-Linked-ETag", file.etag))
    return Answer(302, headers=(commit, *linked, ("Location", f"{cdn}/{file.sha256}")))


def _info(repository: Repository, blobs: bool) -> dict[str, Any]:
    return {
        "_id": repository.model.commit[:24],
        "id": repository.model.repository,
        "modelId": repository.model.repository,
        "author": repository.model.repository.partition("/")[0],
        "sha": repository.model.commit,
        "lastModified": "2024-11-01T00:00:00.000Z",
        "createdAt": "2024-10-31T00:00:00.000Z",
        "private": False,
        "gated": False,
        "disabled": False,
        "library_name": "transformers",
        "pipeline_tag": repository.model.task,
        "tags": ["transformers", "safetensors", f"license:{repository.model.licence}"],
        "cardData": {"license": repository.model.licence},
        "siblings": [_sibling(f, blobs) for f in repository.files.values()],
    }


def _sibling(file: StoredFile, blobs: bool) -> dict[str, Any]:
    if not blobs:
        return {"rfilename": file.name}
    about: dict[str, Any] = {"rfilename": file.name, "size": file.size, "blobId": file.blob_id}
    if file.large:
        about["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": len(file.pointer)}
    return about


def _tree(repository: Repository, below: str, *, recursive: bool) -> list[dict[str, Any]]:
    """The files in the folder ``below`` ("" is the root) and, unless ``recursive``, its folders in their own words."""
    prefix = f"{below}/" if below else ""
    inside = {n.removeprefix(prefix): f for n, f in repository.files.items() if n.startswith(prefix)}
    folders = sorted({n.partition("/")[0] for n in inside if "/" in n})
    listed = [{"type": "directory", "oid": "0" * 40, "size": 0, "path": prefix + f} for f in folders]
    return listed + [_tree_entry(f) for n, f in inside.items() if recursive or "/" not in n]


def _tree_entry(file: StoredFile) -> dict[str, Any]:
    about: dict[str, Any] = {"type": "file", "oid": file.blob_id, "size": file.size, "path": file.name}
    if file.large:
        about["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": len(file.pointer)}
    return about
