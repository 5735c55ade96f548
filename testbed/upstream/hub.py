"""Stands for huggingface.co: the part of its HTTP interface that huggingface-hub 2 asks to download a snapshot.

The interface: https://huggingface.co/docs/hub/api and huggingface_hub's hf_api.py and file_download.py.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, unquote

from . import model

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

    name: str
    commit: str
    directory: Path

    @cached_property
    def files(self) -> dict[str, StoredFile]:
        """Every file by its name."""
        return {p.name: StoredFile(p) for p in sorted(self.directory.iterdir()) if p.is_file()}

    def has(self, revision: str) -> bool:
        """Whether ``revision`` names the commit."""
        return unquote(revision) in (self.commit, "main", "refs/heads/main")


@dataclass(frozen=True)
class StoredFile:
    """A file of a repository, small in git or large beside it."""

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
    """Answers for one repository; every other is not found, as on the real hub without a token (401)."""

    repository: Repository

    def answer(self, path: str, query: str, cdn: str) -> Answer:
        """The answer to GET or HEAD of ``path`` below the hub's address; ``cdn`` is where large files are."""
        if found := _CDN.fullmatch(path):
            return self._content(found["sha256"])
        if found := _API.fullmatch(path):
            return self._in(found["repo"], found["revision"] or "main") or self._api(found, parse_qs(query))
        if found := _RESOLVE.fullmatch(path):
            return self._in(found["repo"], found["revision"]) or self._resolve(unquote(found["file"]), cdn)
        return Answer(404, {"error": "Not found"})

    def _in(self, repo: str, revision: str) -> Answer | None:
        if repo != self.repository.name:
            return Answer(401, {"error": "Repository not found"}, headers=(("X-Error-Code", "RepoNotFound"),))
        if not self.repository.has(revision):
            return Answer(404, {"error": "Invalid rev id"}, headers=(("X-Error-Code", "RevisionNotFound"),))
        return None

    def _api(self, found: re.Match[str], query: dict[str, list[str]]) -> Answer:
        if found["what"] == "tree":
            return Answer(200, [] if found["below"] else [_tree_entry(f) for f in self.repository.files.values()])
        return Answer(200, _info(self.repository, blobs="blobs" in query))

    def _resolve(self, name: str, cdn: str) -> Answer:
        commit = ("X-Repo-Commit", self.repository.commit)
        file = self.repository.files.get(name)
        if file is None:
            return Answer(404, {"error": "Entry not found"}, headers=(("X-Error-Code", "EntryNotFound"), commit))
        if not file.large:
            return Answer(200, file=file.path, headers=(commit, ("ETag", file.etag)))
        linked = (("X-Linked-Size", str(file.size)), ("X-Linked-ETag", file.etag))
        return Answer(302, headers=(commit, *linked, ("Location", f"{cdn}/{file.sha256}")))

    def _content(self, sha256: str) -> Answer:
        for file in self.repository.files.values():
            if file.large and file.sha256 == sha256:
                return Answer(200, file=file.path, headers=(("ETag", file.etag),))
        return Answer(404, {"error": "Not found"})


def _info(repository: Repository, blobs: bool) -> dict[str, Any]:
    return {
        "_id": repository.commit[:24],
        "id": repository.name,
        "modelId": repository.name,
        "author": repository.name.partition("/")[0],
        "sha": repository.commit,
        "lastModified": "2024-11-01T00:00:00.000Z",
        "createdAt": "2024-10-31T00:00:00.000Z",
        "private": False,
        "gated": False,
        "disabled": False,
        "library_name": "transformers",
        "pipeline_tag": "text-generation",
        "tags": ["transformers", "safetensors", f"license:{model.LICENCE}"],
        "cardData": {"license": model.LICENCE},
        "siblings": [_sibling(f, blobs) for f in repository.files.values()],
    }


def _sibling(file: StoredFile, blobs: bool) -> dict[str, Any]:
    if not blobs:
        return {"rfilename": file.path.name}
    about: dict[str, Any] = {"rfilename": file.path.name, "size": file.size, "blobId": file.blob_id}
    if file.large:
        about["lfs"] = {"sha256": file.sha256, "size": file.size, "pointerSize": len(file.pointer)}
    return about


def _tree_entry(file: StoredFile) -> dict[str, Any]:
    about: dict[str, Any] = {"type": "file", "oid": file.blob_id, "size": file.size, "path": file.path.name}
    if file.large:
        about["lfs"] = {"oid": file.sha256, "size": file.size, "pointerSize": len(file.pointer)}
    return about
