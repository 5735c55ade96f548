"""What an API server's metrics say of how it protects what it holds."""

from __future__ import annotations

import pytest

from mirror.protection import audited, callers_named, secrets_encrypted

MOVED = (
    'apiserver_storage_transformation_operations_total{{resource="{resource}",status="OK",'
    'transformation_type="{kind}",transformer_prefix="{prefix}"}} {count}\n'
)
SECRETS = 'apiserver_resource_objects{group="",resource="secrets"} 3\n'


def moved(prefix: str, kind: str = "to_storage", resource: str = "secrets", count: int = 2) -> str:
    return MOVED.format(prefix=prefix, kind=kind, resource=resource, count=count)


@pytest.mark.parametrize(
    ("metrics", "held", "said"),
    [
        (moved("k8s:enc:secretbox:v1:") + moved("key1:"), "yes", "stored by secretbox:v1"),
        (moved("k8s:enc:kms:v2:site-kms:") + SECRETS, "yes", "kms:v2:site-kms"),
        (moved(""), "no", "in the clear"),
        (moved("") + moved("k8s:enc:secretbox:v1:key1:"), "no", "in the clear"),
        (SECRETS, "no", "nothing of what is stored is encrypted"),
        ('apiserver_storage_objects{resource="secrets"} 3\n', "no", "nothing of what is stored is encrypted"),
        ('apiserver_resource_objects{group="",resource="secrets"} 0\n', "cannot tell", "make one"),
        ("", "cannot tell", "make one"),
        (moved("k8s:enc:secretbox:v1:key1:", resource="configmaps") + SECRETS, "cannot tell", "something is encrypted"),
        (moved("k8s:enc:secretbox:v1:key1:", kind="from_storage", resource="") + SECRETS, "cannot tell", "something"),
        (moved("k8s:enc:secretbox:v1:key1:", count=0) + SECRETS, "no", "nothing of what is stored"),
        (None, "cannot tell", "may not read"),
    ],
)
def test_secrets_are_encrypted_when_they_are_stored_so_and_never_otherwise(
    metrics: str | None, held: str, said: str
) -> None:
    found = secrets_encrypted(metrics)
    assert found.held == held
    assert said in found.why


def test_a_failed_attempt_to_encrypt_proves_nothing() -> None:
    failed = moved("k8s:enc:kms:v2:site-kms:").replace('status="OK"', 'status="Unavailable"')
    assert secrets_encrypted(failed).held == "cannot tell"


@pytest.mark.parametrize(
    ("metrics", "held"),
    [
        ("apiserver_audit_event_total 3574\n", "yes"),
        ("apiserver_audit_event_total 0\n", "no"),
        ("apiserver_audit_event_total_of_another 7\n", "cannot tell"),
        (None, "cannot tell"),
    ],
)
def test_it_is_audited_when_events_were_told(metrics: str | None, held: str) -> None:
    assert audited(metrics).held == held


@pytest.mark.parametrize(("status", "held"), [(401, "yes"), (200, "no"), (403, "no"), (None, "cannot tell")])
def test_callers_have_names_when_one_without_is_turned_away(status: int | None, held: str) -> None:
    assert callers_named(status).held == held
