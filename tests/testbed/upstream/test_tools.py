"""What stands upstream for operators' machines is what the catalog asks for, made of what the toolchain builds."""

import tarfile
from pathlib import Path

from mirror.bootstrap import archive
from mirror.catalog import Catalog
from testbed.toolchain import programs
from testbed.upstream import tools

CATALOG = Path(__file__).resolve().parents[3] / "catalog"


def fake(directory: Path, name: str) -> Path:
    path = directory / name
    path.write_text(f"the program {name}")
    return path


def test_each_tool_of_the_catalog_is_served_as_the_catalog_says(tmp_path: Path) -> None:
    section = Catalog.load(CATALOG).bootstrap
    assert section
    served = {f"https://{t.url}": t for t in tools.TOOLS}
    assert {t.files["linux/amd64"] for t in section.tools} == served.keys()
    for tool in section.tools:
        url = tool.files["linux/amd64"]
        served[url].write(lambda name: fake(tmp_path, name), tmp_path / "file")
        assert archive.programs(tool, tmp_path / "file", url).keys() == set(tool.programs)


def test_what_is_served_is_built_in_the_version_that_it_is_served_as() -> None:
    built = {p.name: p for m in programs.declared() for p in m.program}
    modules = {p.name: m for m in programs.declared() for p in m.program}
    section = Catalog.load(CATALOG).bootstrap
    assert section
    version = {t.name: t.version for t in section.tools}
    assert version["pulumi"] in built["pulumi"].set.values()
    assert f"v{version['kubectl']}" in modules["kubectl"].set.values()
    helm = built["helm"].version
    assert helm and helm.holds == f"v{version['helm']}"


def test_equal_programs_make_an_equal_archive(tmp_path: Path) -> None:
    for tool in tools.TOOLS:
        for name in ("one", "two"):
            tool.write(lambda n: fake(tmp_path, n), tmp_path / name)
        assert (tmp_path / "one").read_bytes() == (tmp_path / "two").read_bytes()


def test_a_launcher_runs_the_python_of_the_machine_that_it_was_installed_on(tmp_path: Path) -> None:
    (plugin,) = [t for t in tools.TOOLS if "pulumi-resource-kubernetes" in t.url]
    plugin.write(lambda n: fake(tmp_path, n), tmp_path / "file")
    directory = tmp_path / "machine" / "pulumi" / "plugins" / "resource-kubernetes-v1"
    with tarfile.open(tmp_path / "file") as tar:
        tar.extractall(directory, filter="data")
    text = (directory / "pulumi-resource-kubernetes").read_text()
    relative = text.split('$(dirname "$0")/')[1].split('"')[0]
    assert (directory / relative).resolve() == tmp_path / "machine" / "venv" / "bin" / "python"
