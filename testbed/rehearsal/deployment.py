"""One stack of a rehearsal, from the first preview to a cluster that is as it was found."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from access.issuer import JWKS_FILE, KEY_FILE, Issuer
from mirror.atomic import write_atomically
from mirror.errors import ChecksFailed
from mirror.lock import Lock
from mirror.receipt import Receipt
from testbed.node import Cluster, pulled_images

from . import comparison, confidential, publish, stack
from .operator import Operator
from .scan import Scan
from .timeline import Timeline
from .watch import EgressAccount, attempts


def audit_log(work: Path) -> Path:
    """Where the API server of the rehearsal in ``work`` writes who asked it for what."""
    return work / "site" / "audit" / "audit.log"


@dataclass
class Deployment:
    """One stack on the cluster of a rehearsal."""

    name: str
    work: Path
    receipt: Path
    lock: Lock
    cluster: Cluster
    operator: Operator
    timeline: Timeline
    _found: set[str] = field(default_factory=set)
    _settings: dict[str, Any] = field(default_factory=dict)

    def up(self) -> None:
        """Bring the stack up, and see that a second time changes nothing."""
        self._found = self._objects()
        self._settings = self._of_the_site()
        stack.write(self.name, self.operator.project, self._settings)
        self.operator.pulumi("stack", "init", self.name, log=f"{self.name}-init")
        with self._step("pulumi preview"):
            self._guarded("preview", log="preview")
        with self._step("pulumi up"):
            self._guarded("up", "--yes", "--skip-preview", log="up")
        with self._step("pulumi up again changes nothing"):
            self._guarded("up", "--yes", "--skip-preview", "--expect-no-changes", log="again")
        write_atomically(self._outputs, self._ask("stack", "output", "--json"))

    def prove(self, *, with_others: bool, keep: bool, stand_ins: Mapping[str, str]) -> None:
        """That what is up is as promised, and that it goes without a trace.

        ``with_others`` scans the other stacks' documents too; ``keep`` leaves the stack up.
        """
        self._smoke()
        with self._step("sealift scan"):
            project = self.operator.project
            scan = Scan(
                self.operator,
                self.work / "site" / "scan",
                lambda s: stack.write(s, project, self._settings, as_shipped=True),
            )
            scan.run(self.name, with_others=with_others, output=self._evidence)
        with self._step("no secret in etcd, the audit log or Pulumi's state"):
            self._confidential()
        with self._step("pulled and discovered agree"):
            pulls = self._pulls()
        if not keep:
            with self._step("pulumi destroy"):
                self._pulumi("destroy", "--yes", "--skip-preview", log="destroy")
            with self._step("the cluster is as it was found"):
                _unchanged(self._found, self._objects())
        publish.add(self._evidence, self.timeline.steps, stand_ins, pulls)

    def _of_the_site(self) -> dict[str, Any]:
        """What only the site knows of the stack."""
        namespace = self.operator.kubectl_json("get", "namespace", "kube-system")
        return {
            "sealift:receipt": str(self.receipt),
            "sealift:cluster": namespace["metadata"]["uid"],
            "sealift:cniBinDir": str(self.cluster.cni_bin_dir),
            "sealift:cniConfDir": str(self.cluster.cni_conf_dir),
            "sealift:access": self._issuer(),
        }

    def _issuer(self) -> dict[str, Any]:
        """The site's issuer of API keys, made by the commands that an operator has; returns the stack's ``access``.

        One key is issued and revoked at once: the smoke tests show that it opens nothing.
        """
        keys, domain, log = self._keys, stack.domain(self.name), f"{self.name}-issuer"
        self.operator.sealift("access", "issuer", "create", "--domain", domain, "--issuer", keys, log=log)
        lost: list[str | Path] = ["access", "key", "issue", "--tenant", "research", "--days", "1", "--issuer", keys]
        self.operator.sealift(*lost, "--output", keys / "lost.key", log=log)
        revoked = [r.id for r in Issuer(keys).ledger.records()]
        return {"issuers": [{"issuer": f"keys.{domain}", "jwks": str(keys / JWKS_FILE), "revoked": revoked}]}

    def _smoke(self) -> None:
        given: list[str | Path] = ["--stack-outputs", self._outputs, "--receipt", self.receipt]
        given += ["--kubeconfig", self.cluster.kubeconfig, "--issuer-key", self._keys / KEY_FILE]
        account_of_egress = self.work / "site" / f"egress-{self.name}.json"
        with (
            self._step("sealift smoke"),
            EgressAccount(self.operator.site, self.cluster, account_of_egress) as account,
        ):
            given += ["--egress", account.path, "--output", self._evidence]
            self.operator.sealift("smoke", *given, log=f"{self.name}-smoke")
            for what, packets in attempts(account.write()).items():
                self.timeline.fact(what, packets)

    def _confidential(self) -> None:
        self.operator.sealift("preflight", "--kubeconfig", self.cluster.kubeconfig, log="preflight")
        stored = self.cluster.stored("/registry/secrets/")
        if not stored or (clear := confidential.in_the_clear(stored)):
            raise ChecksFailed("etcd", f"not encrypted: {clear if stored else 'nothing is stored'}", "Mend the flags.")
        secrets = self.operator.kubectl_json("get", "secrets", "--all-namespaces")["items"]
        known = [*confidential.words(secrets), confidential.of_file(self._keys / KEY_FILE, "key", "d")]
        # Without the last line, which may only be half written.
        account, _, _ = audit_log(self.work).read_text(encoding="utf-8").rpartition("\n")
        confidential.check("audit log", account, known)
        confidential.check("Pulumi's state", self._ask("stack", "export"), known)
        self.timeline.fact("Secrets", len(stored))
        self.timeline.fact("lines of the audit log", account.count("\n"))
        self.timeline.fact("of these about Secrets", confidential.told(account.splitlines()))

    def _pulls(self) -> comparison.Pulls:
        pulled = [p.digest for p in pulled_images(self.cluster)]
        models = Receipt.read(self.receipt).models
        result = comparison.pulls(self.lock, [m.digest for m in models], pulled)
        self.timeline.fact("pulled", result.pulled)
        self.timeline.fact("discovered, not pulled", len(result.not_pulled))
        if not result.agree:
            raise ChecksFailed(
                "images pulled by the node",
                f"not discovered: {result.undiscovered or 'none'}; in a pod, never pulled: {result.missing or 'none'}",
                "Teach discovery the place, or remove it.",
            )
        return result

    def _objects(self) -> set[str]:
        listed = self.operator.ask("kubectl", "api-resources", "--verbs=list", "--output", "name")
        columns = "custom-columns=KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name"
        kinds = ",".join(comparison.listable(listed))
        everywhere = ["--all-namespaces", "--no-headers", "--output", columns]
        return comparison.objects(self.operator.ask("kubectl", "get", kinds, *everywhere))

    def _step(self, what: str) -> AbstractContextManager[None]:
        return self.timeline.step(f"{self.name}: {what}")

    def _guarded(self, *arguments: str, log: str) -> None:
        """Pulumi, with the rules before anything is applied."""
        self._pulumi(*arguments, "--policy-pack", self.operator.project / "policies", log=log)

    def _pulumi(self, *arguments: str | Path, log: str) -> None:
        # A policy pack is given no configuration: the environment says where the stack's exceptions to rules are.
        stack_file = self.operator.project / "stacks" / f"Pulumi.{self.name}.yaml"
        knowing = self.operator.knowing(SEALIFT_STACK_FILE=str(stack_file))
        knowing.pulumi(*arguments, "--stack", self.name, log=f"{self.name}-{log}")

    def _ask(self, *arguments: str) -> str:
        return self.operator.ask("pulumi", *arguments, "--stack", self.name, "--cwd", self.operator.project)

    @property
    def _keys(self) -> Path:
        return self.work / "site" / f"access-{self.name}"

    @property
    def _outputs(self) -> Path:
        return self.work / "site" / f"outputs-{self.name}.json"

    @property
    def _evidence(self) -> Path:
        return self.work / "evidence" / self.name


def _unchanged(before: set[str], after: set[str]) -> None:
    left, lost = sorted(after - before), sorted(before - after)
    if left or lost:
        told = f"left behind: {left or 'nothing'}; took away: {lost or 'nothing'}"
        raise ChecksFailed("pulumi destroy", told, "Mend the stack.")
