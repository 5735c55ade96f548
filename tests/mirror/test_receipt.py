from pathlib import Path

import pytest

from mirror.errors import Damaged, NotInReceipt
from mirror.receipt import Receipt, ReceivedFile, ReceivedImage, ReceivedPart, ReceivedRuntime, content

A, B = ("sha256:" + c * 64 for c in "ab")
SITE = "reg.site:5000"


@pytest.fixture
def receipt() -> Receipt:
    return Receipt(
        registry=SITE,
        bundle="0" * 64,
        kubernetes="1.34",
        images=[
            ReceivedImage(
                reference="docker.io/kserve/agent:v1", digest=A, mirrored=f"{SITE}/docker.io/kserve/agent@{A}", size=1
            ),
            ReceivedImage(
                reference="gcr.io/k/queue", digest=A, upstream_digest=B, mirrored=f"{SITE}/gcr.io/k/queue@{A}", size=1
            ),
        ],
        models=[],
        parts=[],
        runtimes=[
            ReceivedRuntime(name="vllm-cpu", engine="vllm", accelerator="cpu", image="docker.io/kserve/agent:v1")
        ],
        exclusions=[],
    )


@pytest.mark.parametrize(
    ("upstream", "mirrored"),
    [
        ("kserve/agent:v1", f"{SITE}/docker.io/kserve/agent@{A}"),
        (f"docker.io/kserve/agent@{A}", f"{SITE}/docker.io/kserve/agent@{A}"),
        (f"kserve/agent:v1@{A}", f"{SITE}/docker.io/kserve/agent@{A}"),
        (f"gcr.io/k/queue@{B}", f"{SITE}/gcr.io/k/queue@{A}"),
        (f"{SITE}/gcr.io/k/queue@{A}", f"{SITE}/gcr.io/k/queue@{A}"),
    ],
)
def test_an_upstream_name_leads_to_what_arrived(receipt: Receipt, upstream: str, mirrored: str) -> None:
    assert str(receipt.image(upstream)) == mirrored


@pytest.mark.parametrize("upstream", ["kserve/agent:v2", f"kserve/agent:v1@{B}", "kserve/router:v1", f"{SITE}/x@{A}"])
def test_a_name_that_never_arrived_is_refused(receipt: Receipt, upstream: str) -> None:
    with pytest.raises(NotInReceipt) as e:
        receipt.image(upstream)
    assert upstream in e.value.given


def test_a_wrong_name_is_answered_with_the_right_ones(receipt: Receipt) -> None:
    assert receipt.runtime("vllm-cpu").engine == "vllm"
    with pytest.raises(NotInReceipt) as e:
        receipt.runtime("vllm-gpu")
    assert "vllm-cpu" in e.value.instead


def test_content_is_checked_before_it_is_used(tmp_path: Path) -> None:
    sha = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824"
    file = ReceivedFile(path="content/p/x.yaml", sha256=sha)
    part = ReceivedPart(name="p", kind="manifest", namespace=None, release=None, values={}, files=[file], images=[])
    (tmp_path / "content/p").mkdir(parents=True)
    with pytest.raises(Damaged, match="no file"):
        content(tmp_path / "receipt.json", part)
    (tmp_path / "content/p/x.yaml").write_text("hello")
    assert content(tmp_path / "receipt.json", part) == [tmp_path / "content/p/x.yaml"]
    (tmp_path / "content/p/x.yaml").write_text("hullo")
    with pytest.raises(Damaged, match="sha256"):
        content(tmp_path / "receipt.json", part)
