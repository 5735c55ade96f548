from pathlib import Path

import pytest

from mirror import resolve
from mirror.catalog import Catalog, ChartSource, ImagesSource, ManifestSource
from mirror.errors import BadInput
from mirror.reference import Reference

OURS = Path(__file__).parents[2] / "catalog"
SMALL = {
    "platform.yaml": "kubernetes: '1.34'\nplatforms: [linux/amd64]\n",
    "licences.yaml": "licences: [MIT]\n",
}
RUNTIME = """
runtimes:
  - {name: r, image: a/b:1, engine: vllm, accelerator: cpu, licence: MIT, reason: a runtime for tests}
"""


def written(directory: Path, **files: str) -> Path:
    for name, text in {**SMALL, **{f"{k}.yaml": v for k, v in files.items()}}.items():
        (directory / name).write_text(text)
    return directory


def test_keyless_signers_need_the_trusted_root_beside_the_catalog(tmp_path: Path) -> None:
    written(tmp_path, signatures="signatures: [{images: '**', keyless: [{issuer: i, identity: a}]}]\n")
    with pytest.raises(BadInput, match="keyless signers need"):
        Catalog.load(tmp_path)
    (tmp_path / "trusted_root.json").write_text("{")
    with pytest.raises(BadInput, match="no JSON"):
        Catalog.load(tmp_path)
    (tmp_path / "trusted_root.json").write_text('{"a": 1}')
    assert Catalog.load(tmp_path).trusted_root == {"a": 1}


def test_the_files_of_a_directory_are_one_catalog(tmp_path: Path) -> None:
    catalog = Catalog.load(written(tmp_path, runtimes=RUNTIME))
    assert (catalog.kubernetes, catalog.licences, [r.name for r in catalog.runtimes]) == ("1.34", ["MIT"], ["r"])


@pytest.mark.parametrize(
    ("files", "word"),
    [
        ({"a": "partz: []"}, "partz"),
        ({"a": RUNTIME, "b": RUNTIME}, "2 times"),
        ({"licences": "{}"}, "licences"),
        ({"platform": "kubernetes: '1.34'"}, "platforms"),
        ({"platform": "platforms: [linux/amd64]"}, "kubernetes"),
        ({"a": "exclusions: [{value: x, reason: short}]"}, "reason"),
        ({"a": RUNTIME.replace("vllm", "triton")}, "vllm"),
        (
            {"a": "parts: [{name: p, licence: MIT, reason: a part for tests, source: {kind: helm}}]"},
            "'chart', 'manifest', 'images'",
        ),
    ],
)
def test_a_catalog_that_cannot_be_right_is_refused_in_one_message(
    tmp_path: Path, files: dict[str, str], word: str
) -> None:
    with pytest.raises(BadInput, match=word):
        Catalog.load(written(tmp_path, **files))


def test_a_directory_without_files_is_no_catalog(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match=r"\*\.yaml"):
        Catalog.load(tmp_path)


def test_our_catalog_is_sound_and_within_its_own_licences() -> None:
    resolve.check_licences(Catalog.load(OURS))


def test_our_catalog_names_no_floating_version() -> None:
    catalog = Catalog.load(OURS)
    names = [r.image for r in catalog.runtimes]
    for part in catalog.parts:
        match part.source:
            case ChartSource(oci=oci, version=version):
                names.append(f"{oci}:{version}")
            case ImagesSource(images=images):
                names += images
            case ManifestSource(urls=urls):
                assert all(any(c.isdigit() for c in u.split("/")[-2]) for u in urls), urls
    for name in names:
        tag = Reference.parse(name).tag
        assert tag is not None
        assert any(c.isdigit() for c in tag), name


def test_nothing_shares_the_namespace_of_the_privileged_part() -> None:
    namespaces = [p.namespace for p in Catalog.load(OURS).parts]
    assert namespaces.count("istio-cni") == 1
