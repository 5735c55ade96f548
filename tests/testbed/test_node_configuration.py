"""Certificates, flags and files of the site and the node, without starting anything."""

import json
import ssl
import tomllib
from pathlib import Path

import pytest
import yaml
from cryptography import x509
from jinja2 import UndefinedError

from testbed.node import addresses, cgroups, content, control_plane
from testbed.node.certificates import Authority
from testbed.node.pulled import PulledImage, parse


def test_a_server_certificate_is_trusted_under_strict_verification(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "ca")
    issued = authority.issue("server", "server", names=("10.77.0.1", "localhost"))
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(issued.certificate, issued.key)
    client = ssl.create_default_context(cafile=str(authority.certificate))
    client.verify_flags |= ssl.VERIFY_X509_STRICT
    for name in ("10.77.0.1", "localhost"):
        shake_hands(client, server, name)
    with pytest.raises(ssl.SSLCertVerificationError):
        shake_hands(client, server, "10.77.0.3")


def shake_hands(client: ssl.SSLContext, server: ssl.SSLContext, name: str) -> None:
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    ends = [client.wrap_bio(down, up, server_hostname=name), server.wrap_bio(up, down, server_side=True)]
    while ends:
        for end in list(ends):
            try:
                end.do_handshake()
                ends.remove(end)
            except ssl.SSLWantReadError:
                continue


def test_keys_are_readable_by_their_owner_alone(tmp_path: Path) -> None:
    keys = control_plane.make_keys(tmp_path)
    secrets = [*tmp_path.glob("*.key"), *tmp_path.glob("*.kubeconfig")]
    assert len(secrets) > 10
    assert {path.stat().st_mode & 0o777 for path in secrets} == {0o600}
    subject = x509.load_pem_x509_certificate((tmp_path / "kubelet.crt").read_bytes()).subject
    assert subject.rfc4514_string() == f"CN=system:node:{addresses.NODE_NAME},O=system:nodes"
    assert yaml.safe_load(keys.kubeconfigs["admin"].read_text())["clusters"][0]["cluster"]["server"] == (
        addresses.API_SERVER
    )


def test_the_api_server_can_mount_image_volumes_and_authorizes_nodes(tmp_path: Path) -> None:
    given = tmp_path / "flags"
    given.write_text("--audit-log-path=/x/audit.log\n--encryption-provider-config=/x/encryption.yaml\n")
    flags = control_plane.api_server(Path("kube-apiserver"), control_plane.make_keys(tmp_path), given)
    assert {"--feature-gates=ImageVolume=true", "--authorization-mode=Node,RBAC"} <= set(flags)
    assert flags[-2:] == ["--audit-log-path=/x/audit.log", "--encryption-provider-config=/x/encryption.yaml"]


def test_a_template_with_a_missing_value_is_refused() -> None:
    with pytest.raises(UndefinedError):
        content.render("kube-proxy.yaml")


def test_the_kubelets_and_proxys_configuration_is_yaml_with_the_sites_addresses() -> None:
    fields = ("cgroup", "pod_logs", "ca", "certificate", "key", "resolv_conf")
    kubelet = yaml.safe_load(content.render("kubelet.yaml", **{field: f"/x/{field}" for field in fields}))
    assert kubelet["clusterDNS"] == [addresses.DNS_SERVICE]
    assert kubelet["featureGates"] == {"ImageVolume": True}
    assert kubelet["oomScoreAdj"] == 0
    assert yaml.safe_load(content.render("kube-proxy.yaml", kubeconfig="/x"))["conntrack"]["maxPerCore"] == 0


def test_containerd_asks_only_the_internal_registry_and_never_lowers_the_oom_score() -> None:
    fields = ("root", "certs_d", "cni_bin", "cni_conf", "runc")
    text = content.render("containerd.toml", **{field: f"/x/{field}" for field in fields})
    plugins = tomllib.loads(text)["plugins"]
    assert plugins["io.containerd.cri.v1.images"]["registry"] == {"config_path": "/x/certs_d"}
    assert plugins["io.containerd.cri.v1.images"]["pinned_images"] == {"sandbox": addresses.SANDBOX_IMAGE}
    assert plugins["io.containerd.cri.v1.runtime"]["restrict_oom_score_adj"] is True


def test_the_network_of_pods_is_not_masqueraded_so_that_sources_stay_visible() -> None:
    bridge = json.loads(content.render("bridge.conflist", leases="/x"))["plugins"][0]
    assert bridge["ipMasq"] is False
    assert bridge["ipam"]["ranges"] == [[{"subnet": addresses.PODS}]]


def test_coredns_conforms_to_the_restricted_standard() -> None:
    documents = list(yaml.safe_load_all(content.render("coredns.yaml")))
    pod = next(d for d in documents if d["kind"] == "Deployment")["spec"]["template"]["spec"]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    (container,) = pod["containers"]
    assert container["securityContext"]["capabilities"] == {"drop": ["ALL"]}
    assert container["securityContext"]["allowPrivilegeEscalation"] is False


def test_no_name_server_passes_questions_on() -> None:
    for text in (content.render("coredns.yaml"), content.render("site.Corefile", domain="sealift.test")):
        assert "forward" not in text
        assert "log\n" in text
    assert 'answer "{{ .Name }} 5 IN A 10.77.0.2"' in content.render("site.Corefile", domain="sealift.test")


@pytest.mark.parametrize("template", ["node.nft", "site.nft"])
def test_both_guards_count_by_source_destination_protocol_and_port(template: str) -> None:
    assert "add @attempts { ip saddr . ip daddr . meta l4proto . th dport }" in content.render(template)


def test_cgroup_v1_gets_the_group_in_every_hierarchy_but_not_through_links(tmp_path: Path) -> None:
    for controller in ("memory", "cpuset"):
        (tmp_path / controller).mkdir()
    (tmp_path / "cpu,cpuacct").symlink_to(tmp_path / "memory")
    for file, value in (("cpuset.cpus", "0-1"), ("cpuset.mems", "0")):
        (tmp_path / "cpuset" / file).write_text(value)
    cgroups.create("x", tmp_path)
    assert (tmp_path / "memory" / "x").is_dir()
    assert (tmp_path / "cpuset" / "x" / "cpuset.cpus").read_text() == "0-1"
    assert not cgroups.unified(tmp_path)


def test_cgroup_v2_gets_one_group_with_every_controller_enabled(tmp_path: Path) -> None:
    (tmp_path / "cgroup.controllers").write_text("cpu memory pids\n")
    cgroups.create("x", tmp_path)
    assert cgroups.unified(tmp_path)
    assert (tmp_path / "cgroup.subtree_control").read_text() == "+cpu +memory +pids "
    assert (tmp_path / "x" / "cgroup.subtree_control").read_text() == "+cpu +memory +pids "


def test_a_cgroup_goes_with_all_below_it(tmp_path: Path) -> None:
    (tmp_path / "memory" / "x" / "pod" / "container").mkdir(parents=True)
    cgroups.remove("x", tmp_path)
    assert list((tmp_path / "memory").iterdir()) == []


def test_pulled_images_are_read_from_ctrs_table_without_bare_digests() -> None:
    listing = (
        "REF                        TYPE                                       DIGEST     SIZE    PLATFORMS   LABELS\n"
        "quay.io/a/b:v1             application/vnd.oci.image.manifest.v1+json sha256:11  1.0 MiB linux/amd64 -\n"
        "ghcr.io/c@sha256:22        application/vnd.oci.image.manifest.v1+json sha256:22  1.0 MiB linux/amd64 -\n"
        "sha256:33                  application/vnd.oci.image.manifest.v1+json sha256:11  1.0 MiB linux/amd64 -\n"
    )
    assert parse(listing) == [
        PulledImage(reference="ghcr.io/c@sha256:22", digest="sha256:22"),
        PulledImage(reference="quay.io/a/b:v1", digest="sha256:11"),
    ]
