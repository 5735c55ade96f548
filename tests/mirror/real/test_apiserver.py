"""A real API server with the files that `sealift nodeconfig apiserver` writes, and one without them."""

from __future__ import annotations

import http.client
import json
import ssl
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from urllib.parse import urlsplit

import pytest
import yaml

from mirror import apiserver
from mirror.preflight import ask
from smoke_tests.cluster import wait_until
from tests.api_server import ApiServer, running

pytestmark = pytest.mark.slow

VALUE = "correct-horse-battery-staple"
SECRET = "/registry/secrets/default/probe"


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    directory = tmp_path_factory.mktemp("guarded")
    files, log = PurePosixPath(directory / "apiserver.d"), PurePosixPath(directory / "audit.log")
    apiserver.write(Path(files), directory=files, log=log, keys=apiserver.Keys().next(kms=None, another=False))
    with running(directory, (Path(files) / apiserver.FLAGS).read_text().splitlines()) as server:
        make_secret(server)
        yield server


@pytest.fixture(scope="module")
def bare(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    with running(tmp_path_factory.mktemp("bare"), ["--etcd-count-metric-poll-period=1s"]) as server:
        make_secret(server)
        yield server


def make_secret(server: ApiServer) -> None:
    server.kubectl("create", "secret", "generic", "probe", f"--from-literal=password={VALUE}")


def account(server: ApiServer) -> list[dict[str, object]]:
    return [json.loads(line) for line in (server.directory / "audit.log").read_text().splitlines()]


def lines_about(server: ApiServer, resource: str, verb: str) -> list[dict[str, object]]:
    def about(line: dict[str, object]) -> bool:
        reference = line.get("objectRef") or {}
        assert isinstance(reference, dict)
        return line["verb"] == verb and reference.get("resource") == resource

    return [line for line in account(server) if about(line)]


def nameless(server: ApiServer, path: str) -> int:
    url = urlsplit(yaml.safe_load(server.kubeconfig.read_text())["clusters"][0]["cluster"]["server"])
    context = ssl.create_default_context(cafile=str(server.directory / "certs" / "apiserver.crt"))
    connection = http.client.HTTPSConnection(url.hostname or "", url.port, timeout=10, context=context)
    connection.request("GET", path)
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def test_a_secret_lies_encrypted_in_etcd(guarded: ApiServer) -> None:
    raw = guarded.stored(SECRET)
    assert raw.startswith(b"k8s:enc:secretbox:v1:key1:")
    assert VALUE.encode() not in raw


def test_without_the_files_it_lies_there_for_all_to_read(bare: ApiServer) -> None:
    assert VALUE.encode() in bare.stored(SECRET)


def test_making_a_secret_is_told_without_what_is_in_it(guarded: ApiServer) -> None:
    told = lines_about(guarded, "secrets", "create")
    assert {(line["level"], line["user"]["username"]) for line in told} == {("Metadata", "admin")}  # type: ignore[index]
    assert VALUE not in (guarded.directory / "audit.log").read_text()


def test_what_is_granted_is_told_word_for_word(guarded: ApiServer) -> None:
    guarded.kubectl("create", "clusterrole", "snoop", "--verb=get", "--resource=secrets")
    told = lines_about(guarded, "clusterroles", "create")[-1]
    assert told["requestObject"]["rules"][0]["resources"] == ["secrets"]  # type: ignore[index]


def test_an_impersonated_request_is_told_with_both_names(guarded: ApiServer) -> None:
    guarded.kubectl("get", "pods", "--as=jane", "--as-group=sealift:break-glass", succeeds=False)
    told = lines_about(guarded, "pods", "list")[-1]
    assert told["user"]["username"] == "admin"  # type: ignore[index]
    assert told["impersonatedUser"]["username"] == "jane"  # type: ignore[index]


@pytest.mark.parametrize("path", ["/version", "/api", "/openapi/v2", "/metrics", "/api/v1/namespaces"])
def test_a_nameless_caller_is_turned_away(guarded: ApiServer, path: str) -> None:
    assert nameless(guarded, path) == 401


def held(server: ApiServer) -> dict[str, str]:
    return {p.name: p.held for p in ask(server.kubeconfig).protections}


def test_preflight_finds_every_protection(guarded: ApiServer) -> None:
    assert held(guarded) == {"secrets-encrypted": "yes", "audited": "yes", "callers-named": "yes"}


def test_without_the_files_preflight_finds_none(bare: ApiServer) -> None:
    wait_until(lambda: held(bare)["secrets-encrypted"] != "cannot tell", seconds=20)  # Secrets are counted now and then
    assert held(bare) == {"secrets-encrypted": "no", "audited": "no", "callers-named": "no"}


def test_a_nameless_caller_may_ask_whether_it_is_well(guarded: ApiServer) -> None:
    assert nameless(guarded, "/readyz") == 200


def test_without_the_files_a_nameless_caller_has_a_name(bare: ApiServer) -> None:
    assert nameless(bare, "/version") == 200
    assert nameless(bare, "/api/v1/namespaces") == 403
