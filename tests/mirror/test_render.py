"""Reading manifests; and how helm is asked, with a stand-in for it (the real one is asked in real/test_render.py)."""

import json
import os
import sys
from pathlib import Path

import pytest

from mirror import render
from mirror.errors import BadInput, ToolMissing

THING = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: a}\n"


def test_empty_documents_are_dropped_and_lists_are_flattened() -> None:
    item = "{apiVersion: v1, kind: ConfigMap, metadata: {name: b}}"
    text = f"---\n# nothing\n---\n{THING}---\nkind: ConfigMapList\napiVersion: v1\nitems:\n- {item}\n"
    assert [render.title(d) for d in render.parse([("x.yaml", text)])] == ["ConfigMap/a", "ConfigMap/b"]


def test_an_object_that_stands_twice_word_for_word_is_kept_once() -> None:
    assert len(render.parse([("crds.yaml", THING), ("core.yaml", THING)])) == 1


def test_two_different_objects_of_one_name_are_refused() -> None:
    with pytest.raises(BadInput, match="ConfigMap/a stands twice") as e:
        render.parse([("one.yaml", THING), ("two.yaml", THING + "data: {x: y}\n")])
    assert e.value.given == "two.yaml"


def test_one_name_in_two_namespaces_is_two_objects() -> None:
    other = THING.replace("name: a", "name: a, namespace: n")
    assert len(render.parse([("x.yaml", f"{THING}---\n{other}")])) == 2


@pytest.mark.parametrize(
    ("text", "field"),
    [
        ("kind: A\nmetadata: {name: a}", "apiVersion"),
        ("apiVersion: v1\nmetadata: {name: a}", "kind"),
        ("apiVersion: v1\nkind: A", "metadata.name"),
        ("apiVersion: v1\nkind: A\nmetadata: {generateName: a-}", "metadata.name"),
        ("- a", "mapping"),
        ("a: [", "well-formed"),
    ],
)
def test_what_is_no_object_is_refused_by_what_it_lacks(text: str, field: str) -> None:
    with pytest.raises(BadInput, match=field) as e:
        render.parse([("x.yaml", f"{THING}---\n{text}")])
    assert e.value.given.startswith("x.yaml")


def test_scalars_are_read_as_kubernetes_reads_them() -> None:
    text = THING + "data: {date: 2024-01-02, time: 12:30, eq: =, octal: 0644, on: true, n: 5, f: 1.5}\n"
    (document,) = render.parse([("x.yaml", text)])
    data = {"date": "2024-01-02", "time": "12:30", "eq": "=", "octal": 420, True: True, "n": 5, "f": 1.5}
    assert document["data"] == data


def test_release_files_are_read_in_their_order(tmp_path: Path) -> None:
    for name in ("b", "a"):
        (tmp_path / f"{name}.yaml").write_text(THING.replace("name: a", f"name: {name}"))
    documents = render.release([tmp_path / "b.yaml", tmp_path / "a.yaml"])
    assert [d["metadata"]["name"] for d in documents] == ["b", "a"]


@pytest.fixture
def helm(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A stand-in for helm that notes how it was asked and says what ``answer`` holds."""
    (tmp_path / "answer").write_text(THING)
    program = tmp_path / "helm"
    program.write_text(
        f"#!{sys.executable}\nimport json, os, pathlib, sys\nhere = pathlib.Path({str(tmp_path)!r})\n"
        "values = pathlib.Path(sys.argv[sys.argv.index('--values') + 1]).read_text()\n"
        "(here / 'asked').write_text(json.dumps([sys.argv[1:], dict(os.environ), values]))\n"
        "if (here / 'fail').exists(): sys.exit('Error: bad   values')\n"
        "print((here / 'answer').read_text())\n"
    )
    program.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def test_helm_is_asked_offline_and_sees_nothing_of_the_caller(helm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBECONFIG", "/etc/secret")
    monkeypatch.setenv("HELM_REPOSITORY_CONFIG", "/etc/repositories")
    render.chart(Path("c.tgz"), release="r", namespace="n", values={"a": {"b": "no"}}, kubernetes="1.34")
    arguments, environment, values = json.loads((helm / "asked").read_text())
    assert arguments[:5] == ["template", "r", "c.tgz", "--namespace", "n"]
    assert {"--include-crds", "--skip-tests"} < set(arguments)
    assert arguments[arguments.index("--kube-version") + 1] == "1.34"
    assert values == "a:\n  b: 'no'\n"
    assert "HELM_REPOSITORY_CONFIG" not in environment
    assert environment["KUBECONFIG"] != "/etc/secret"
    assert not Path(environment["HELM_CACHE_HOME"]).exists()


def test_a_hook_is_refused_because_nothing_would_run_it(helm: Path) -> None:
    hook = THING.replace("name: a", "name: a, annotations: {helm.sh/hook: post-install}")
    (helm / "answer").write_text(hook)
    with pytest.raises(BadInput, match="ConfigMap/a is a Helm hook"):
        render.chart(Path("c.tgz"), release="r", namespace="n", values={}, kubernetes="1.34")


def test_what_helm_complains_of_is_said_in_one_line(helm: Path) -> None:
    (helm / "fail").touch()
    with pytest.raises(ToolMissing) as e:
        render.chart(Path("c.tgz"), release="r", namespace="n", values={}, kubernetes="1.34")
    assert (e.value.given, e.value.why) == ("helm template r c.tgz", "Error: bad values")


def test_without_helm_the_message_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(ToolMissing, match="not on PATH"):
        render.chart(Path("c.tgz"), release="r", namespace="n", values={}, kubernetes="1.34")


def test_a_file_that_is_no_text_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "a.yaml").write_bytes(b"kind: \xff")
    with pytest.raises(BadInput, match=r"a\.yaml.*no text"):
        render.release([tmp_path / "a.yaml"])


def test_aliases_that_stand_for_billions_of_values_are_refused_at_once() -> None:
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 12)]
    with pytest.raises(BadInput, match="its aliases stand for more than"):
        render.parse([("bomb.yaml", "\n".join(lines))])


@pytest.mark.parametrize(
    "text", ["[" * 100_000, "{a: " * 100_000, "- " * 100_000 + "a"], ids=["lists", "maps", "dashes"]
)
def test_a_file_that_is_nested_without_end_is_refused_and_does_not_crash(text: str) -> None:
    with pytest.raises(BadInput, match="nested without end"):
        render.parse([("deep.yaml", text)])
