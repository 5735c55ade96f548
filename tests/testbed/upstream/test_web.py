"""The web server and the hub, asked by the real client library."""

import hashlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest
from huggingface_hub import HfApi
from huggingface_hub.errors import EntryNotFoundError, RepositoryNotFoundError, RevisionNotFoundError

from testbed.upstream import chat_model, embedding_model, models, web

FILE = "github.com/org/app/releases/download/v1/app.yaml"
CONTENT = bytes(range(256)) * 10


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory = tmp_path_factory.mktemp("upstream")
    file = directory / "web" / FILE
    file.parent.mkdir(parents=True)
    file.write_bytes(CONTENT)
    index = directory / "web" / "pypi.org" / "simple" / "demo" / "index.json"
    index.parent.mkdir(parents=True)
    index.write_text('{"files": []}')
    (directory / "secret").write_text("not served")
    models.write(directory / "models", "the licence's text " * 100)
    with web.running(directory / "web", directory / "models") as port:
        yield f"http://127.0.0.1:{port}"


@pytest.fixture
def hub(address: str) -> HfApi:
    return HfApi(endpoint=f"{address}/huggingface.co", token=False)


def test_a_directory_is_its_index(address: str) -> None:
    assert httpx.get(f"{address}/pypi.org/simple/demo/").json() == {"files": []}
    assert httpx.get(f"{address}/pypi.org/simple/").status_code == 404


def test_a_file_is_served_by_its_url(address: str) -> None:
    answer = httpx.get(f"{address}/{FILE}")
    assert answer.status_code == 200
    assert answer.content == CONTENT
    assert httpx.head(f"{address}/{FILE}").headers["content-length"] == str(len(CONTENT))


def test_what_is_not_there_is_not_found(address: str) -> None:
    assert httpx.get(f"{address}/github.com/org/none").status_code == 404


def test_nothing_outside_of_the_directory_is_served(address: str) -> None:
    assert httpx.get(f"{address}/%2e%2e/secret").status_code == 404


@pytest.mark.parametrize(
    ("header", "start", "end"),
    [("bytes=0-9", 0, 10), ("bytes=100-", 100, 2560), ("bytes=-5", 2555, 2560), ("bytes=2550-9999", 2550, 2560)],
)
def test_a_range_is_answered_with_its_bytes(address: str, header: str, start: int, end: int) -> None:
    answer = httpx.get(f"{address}/{FILE}", headers={"Range": header})
    assert answer.status_code == 206
    assert answer.content == CONTENT[start:end]
    assert answer.headers["content-range"] == f"bytes {start}-{end - 1}/{len(CONTENT)}"


def test_a_range_beyond_the_end_is_refused(address: str) -> None:
    answer = httpx.get(f"{address}/{FILE}", headers={"Range": "bytes=2560-"})
    assert answer.status_code == 416
    assert answer.headers["content-range"] == "bytes */2560"


@pytest.mark.parametrize("header", [None, "bytes=-", "items=0-1", "bytes=0-1,4-5"])
def test_a_header_that_asks_no_single_range_is_answered_with_the_whole(header: str | None) -> None:
    assert web.wanted(header, 100) == (0, 100)


def test_the_hub_tells_commit_licence_and_files(hub: HfApi) -> None:
    info = hub.model_info(chat_model.REPOSITORY, revision="main", files_metadata=True)
    assert info.sha == chat_model.COMMIT
    assert info.card_data is not None
    assert info.card_data["license"] == "apache-2.0"
    siblings = {s.rfilename: s for s in info.siblings or []}
    assert {"LICENSE", "README.md", "config.json", "model.safetensors", "tokenizer.json"} <= set(siblings)
    weights = siblings["model.safetensors"]
    assert weights.lfs is not None
    assert weights.lfs.size == weights.size


def test_the_hub_lists_its_tree(hub: HfApi) -> None:
    listed = [f.path for f in hub.list_repo_tree(chat_model.REPOSITORY, revision=chat_model.COMMIT, recursive=True)]
    assert "model.safetensors" in listed


def test_a_snapshot_comes_down_whole(hub: HfApi, tmp_path: Path, address: str) -> None:
    path = Path(hub.snapshot_download(chat_model.REPOSITORY, revision=chat_model.COMMIT, cache_dir=tmp_path))
    assert path.name == chat_model.COMMIT
    info = hub.model_info(chat_model.REPOSITORY, files_metadata=True)
    for s in info.siblings or []:
        data = (path / s.rfilename).read_bytes()
        assert len(data) == s.size
        if s.lfs is not None:
            assert hashlib.sha256(data).hexdigest() == s.lfs.sha256


def test_a_repository_with_folders_comes_down_whole_and_lists_them(hub: HfApi, tmp_path: Path) -> None:
    name, commit = embedding_model.REPOSITORY, embedding_model.COMMIT
    path = Path(hub.snapshot_download(name, revision=commit, cache_dir=tmp_path))
    assert (path / "1_Pooling" / "config.json").is_file()
    assert "1_Pooling/config.json" in {f.path for f in hub.list_repo_tree(name, revision=commit, recursive=True)}
    assert {"1_Pooling", "config.json"} <= {f.path for f in hub.list_repo_tree(name, revision=commit)}
    assert {f.path for f in hub.list_repo_tree(name, "1_Pooling", revision=commit)} == {"1_Pooling/config.json"}


def test_every_repository_tells_its_own_licence_and_task(hub: HfApi) -> None:
    for stand_in in models.STAND_INS:
        info = hub.model_info(stand_in.repository)
        assert info.card_data is not None
        assert (info.sha, info.card_data["license"]) == (stand_in.commit, stand_in.licence)
        assert info.pipeline_tag == stand_in.task


def test_a_large_file_is_sent_elsewhere_and_answers_ranges_there(address: str) -> None:
    url = f"{address}/huggingface.co/{chat_model.REPOSITORY}/resolve/{chat_model.COMMIT}/model.safetensors"
    first = httpx.head(url)
    assert first.status_code == 302
    assert first.headers["x-repo-commit"] == chat_model.COMMIT
    size = int(first.headers["x-linked-size"])
    part = httpx.get(first.headers["location"], headers={"Range": f"bytes={size - 4}-"})
    assert part.status_code == 206
    assert len(part.content) == 4


def test_other_names_are_refused_as_the_hub_refuses_them(hub: HfApi, tmp_path: Path) -> None:
    with pytest.raises(RepositoryNotFoundError):
        hub.model_info("org/other")
    with pytest.raises(RevisionNotFoundError):
        hub.model_info(chat_model.REPOSITORY, revision="0" * 40)
    with pytest.raises(EntryNotFoundError):
        hub.hf_hub_download(chat_model.REPOSITORY, "none.bin", revision=chat_model.COMMIT, cache_dir=tmp_path)
