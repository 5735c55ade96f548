from mirror.lock import Lock, LockedImage
from testbed.rehearsal import comparison

A, B, C = (f"sha256:{c * 64}" for c in "abc")


def image(reference: str, digest: str, *found: str) -> LockedImage:
    return LockedImage(
        reference=reference,
        digest=digest,
        upstream_digest=digest,
        media_type="application/vnd.oci.image.manifest.v1+json",
        platforms=["linux/amd64"],
        size=1,
        licence="Apache-2.0",
        found=list(found),
    )


def lock(*images: LockedImage) -> Lock:
    return Lock(
        kubernetes="1.34",
        platforms=["linux/amd64"],
        parts=[],
        images=list(images),
        models=[],
        runtimes=[],
        exclusions=[],
    )


CONTROLLER = image("q.io/a:1", A, "kserve: Deployment/a spec.template.spec.containers[0].image")
AGENT = image("q.io/b:1", B, "kserve: ConfigMap/inferenceservice-config data.agent:image")


def test_what_was_discovered_and_pulled_agrees() -> None:
    assert comparison.pulls(lock(CONTROLLER), [C], [A, C]).agree


def test_a_pull_that_nothing_discovered_is_named() -> None:
    result = comparison.pulls(lock(CONTROLLER), [], [A, C])
    assert result.undiscovered == [C]
    assert not result.agree


def test_a_pod_template_whose_image_was_never_pulled_is_named() -> None:
    result = comparison.pulls(lock(CONTROLLER), [], [])
    assert result.missing == ["q.io/a:1"]
    assert not result.agree


def test_an_image_that_only_a_config_map_names_is_listed_with_its_place() -> None:
    result = comparison.pulls(lock(CONTROLLER, AGENT), [], [A])
    assert result.agree
    assert [n.reference for n in result.not_pulled] == ["q.io/b:1"]
    assert "inferenceservice-config" in result.not_pulled[0].reason


def test_an_argument_of_a_deployment_need_not_be_pulled() -> None:
    solver = image("q.io/s:1", B, "cert-manager: Deployment/cert-manager spec.template.spec.containers[0].args[2]")
    assert comparison.pulls(lock(solver), [], []).agree


def test_objects_that_controllers_remake_are_left_out() -> None:
    assert comparison.objects("Pod  a  b\nConfigMap  a  c\n\nLease x y\n") == {"ConfigMap a c"}


def test_every_resource_but_the_transient_ones_is_listed() -> None:
    assert comparison.listable("configmaps\nevents\nendpoints\nservices\n") == ["configmaps", "services"]
