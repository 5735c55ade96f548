"""The rehearsal itself: the order of the steps, and the verdict."""

from __future__ import annotations

import secrets
import shutil
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mirror.document import write_atomically
from mirror.errors import ChecksFailed
from mirror.layout import LOCK
from mirror.lock import Lock
from mirror.receipt import Receipt
from testbed.node import Cluster, Paths, Site, pulled_images
from testbed.pulumi import launch
from testbed.toolchain import disk, programs
from testbed.toolchain.cache import cache_directory
from testbed.upstream.upstream import Upstream

from . import comparison, publish, stack
from .operator import Operator
from .packer import Packer
from .timeline import Timeline
from .watch import EgressAccount, attempts

NEEDED = 30 * disk.GB
"""Disk beside the cache: bundle, internal registry, and the node's images unpacked."""

_OF_THE_SITE = {"a CNI that enforces NetworkPolicy": "testbed/node/policy_enforcer.py, over nftables"}


@dataclass
class Rehearsal:
    """One run. ``work`` is emptied of what an earlier run left, except the lock and the bundle, which are reused."""

    work: Path
    stacks: list[str]
    upstream: Literal["local", "public"]
    timeline: Timeline
    keep: bool = False
    cache: Path = field(default_factory=cache_directory)
    stand_ins: dict[str, str] = field(default_factory=lambda: dict(_OF_THE_SITE))

    def run(self) -> None:
        """Everything; raises the first error, ChecksFailed when something is not as promised. Cleans up either way."""
        with ExitStack() as cleanup:
            packer = self._outside(cleanup)
            site, operator = self._site(cleanup)
            self._inside(packer, site, operator, cleanup)

    def _outside(self, cleanup: ExitStack) -> Packer:
        with self.timeline.step("disk and tools"):
            self.work.mkdir(parents=True, exist_ok=True)
            for old in ("site", "evidence", "logs", "registry", "project", "pulumi"):
                shutil.rmtree(self.work / old, ignore_errors=True)
            disk.require(self.work, NEEDED, "the rehearsal")
            self.programs = programs.ensure(self.cache, self.timeline.report)
        source_map = None
        if self.upstream == "local":
            with self.timeline.step("upstream: images, charts, releases, model hub"):
                upstream = Upstream(self.cache / "upstream", self.programs, self.timeline.report)
                upstream.prepare()
                self.stand_ins |= {i.name: i.note for i in upstream.declared.images if i.contents != "real"}
                self.stand_ins["weights of the models"] = "random ones of the same kind (testbed/upstream/model.py)"
            with self.timeline.step("upstream: serving"):
                running = cleanup.enter_context(upstream.start(self.work / "state" / "upstream"))
                source_map = self.work / "outside" / "source-map.yaml"
                running.source_map.write(source_map)
        packer = Packer(self.work, self.programs, source_map, self.timeline)
        with self.timeline.step("sealift lock"):
            packer.make_lock()
        with self.timeline.step("sealift bundle create"):
            packer.make_bundle()
        with self.timeline.step("sealift bundle sign"):
            packer.sign()
        if self.upstream == "local":
            with self.timeline.step("upstream: gone"):
                running.stop()
        else:
            with self.timeline.step("the official Pulumi provider"):
                packer.fetch_provider(self.work / "pulumi" / "home")
        return packer

    def _site(self, cleanup: ExitStack) -> tuple[Site, Operator]:
        with self.timeline.step("the site: two network namespaces without a way out, and a registry"):
            paths = Paths(state=self.work / "state" / "site", bin=self.programs)
            storage = self.work / "registry"
            site = Site.create(paths, registry_storage=storage)
            if not self.keep:
                cleanup.callback(shutil.rmtree, storage, ignore_errors=True)
                cleanup.callback(site.down)
        pulumi = launch.prepare(
            self.programs,
            Path(sys.executable),
            self.work / "pulumi",
            passphrase=secrets.token_hex(16),
            checkpoint_each_step=False,  # the cluster does not outlive the rehearsal, so neither need its state
        )
        self.stand_ins |= dict.fromkeys(pulumi.stand_ins, "a plugin of this testbed (testbed/pulumi)")
        project = stack.project(self.work / "project")
        return site, Operator(site, self.timeline, self.work / "logs", project, pulumi.environment)

    def _inside(self, packer: Packer, site: Site, operator: Operator, cleanup: ExitStack) -> None:
        receipt = self.work / "site" / "receipt.json"
        bundle = packer.carry(self.work / "site" / "bundle")
        trust: list[str | Path] = ["--trust", self.work / "site" / "trust"]
        with self.timeline.step("sealift bundle verify, no network"):
            operator.sealift("trust", "init", packer.root, *trust, log="trust")
            operator.sealift("bundle", "verify", bundle, "--lock", packer.lock, *trust, log="verify")
        with self.timeline.step("sealift load"):
            load: list[str | Path] = ["load", bundle, "--registry", site.registry, "--ca-file", site.ca_file]
            operator.sealift(*load, *trust, "--output", receipt.parent, log="load")
        with self.timeline.step("a Kubernetes cluster that pulls from the internal registry only"):
            certs_d = self.work / "site" / "certs.d"
            operator.sealift(
                *("nodeconfig", "containerd", "--receipt", receipt, "--ca-file", site.ca_file, "--output", certs_d),
                log="nodeconfig",
            )
            cluster = Cluster.create(site, certs_d=certs_d)
            if not self.keep:
                cleanup.callback(cluster.down)
        operator = operator.knowing(KUBECONFIG=str(cluster.kubeconfig), SEALIFT_RECEIPT=str(receipt))
        with self.timeline.step("sealift preflight"):
            operator.sealift("preflight", "--kubeconfig", cluster.kubeconfig, log="preflight")
        for name in self.stacks:
            self._stack(name, receipt, cluster, site, operator, Lock.read(bundle / LOCK))

    def _stack(self, name: str, receipt: Path, cluster: Cluster, site: Site, operator: Operator, lock: Lock) -> None:
        found = self._objects(operator)
        uid = operator.kubectl_json("get", "namespace", "kube-system")["metadata"]["uid"]
        settings = {
            "sealift:receipt": str(receipt),
            "sealift:cluster": uid,
            "sealift:cniBinDir": str(cluster.cni_bin_dir),
            "sealift:cniConfDir": str(cluster.cni_conf_dir),
        }
        stack.write(name, operator.project, settings)
        chosen: list[str | Path] = ["--stack", name]
        guarded = [*chosen, "--policy-pack", operator.project / "policies"]
        operator.pulumi("stack", "init", name, log=f"{name}-init")
        with self.timeline.step(f"{name}: pulumi preview"):
            operator.pulumi("preview", *guarded, log=f"{name}-preview")
        with self.timeline.step(f"{name}: pulumi up"):
            operator.pulumi("up", "--yes", "--skip-preview", *guarded, log=f"{name}-up")
        with self.timeline.step(f"{name}: pulumi up again changes nothing"):
            operator.pulumi("up", "--yes", "--skip-preview", "--expect-no-changes", *guarded, log=f"{name}-again")
        outputs = self.work / "site" / f"outputs-{name}.json"
        write_atomically(
            outputs, operator.ask("pulumi", "stack", "output", "--json", *chosen, "--cwd", operator.project)
        )
        self._smoke(name, receipt, outputs, cluster, site, operator)
        with self.timeline.step(f"{name}: pulled and discovered agree"):
            pulls = self._pulls(cluster, lock, Receipt.read(receipt))
        if not self.keep:
            with self.timeline.step(f"{name}: pulumi destroy"):
                operator.pulumi("destroy", "--yes", "--skip-preview", *chosen, log=f"{name}-destroy")
            with self.timeline.step(f"{name}: the cluster is as it was found"):
                self._unchanged(found, self._objects(operator))
        publish.add(self.work / "evidence" / name, self.timeline.steps, self.stand_ins, pulls)

    def _smoke(self, name: str, receipt: Path, outputs: Path, cluster: Cluster, site: Site, operator: Operator) -> None:
        evidence = self.work / "evidence" / name
        with (
            self.timeline.step(f"{name}: sealift smoke"),
            EgressAccount(site, cluster, self.work / "site" / f"egress-{name}.json") as account,
        ):
            operator.sealift(
                *("smoke", "--stack-outputs", outputs, "--receipt", receipt, "--kubeconfig", cluster.kubeconfig),
                *("--egress", account.path, "--output", evidence),
                log=f"{name}-smoke",
            )
            for what, packets in attempts(account.write()).items():
                self.timeline.fact(what, packets)

    def _objects(self, operator: Operator) -> set[str]:
        resources = comparison.listable(operator.ask("kubectl", "api-resources", "--verbs=list", "--output", "name"))
        columns = "KIND:.kind,NAMESPACE:.metadata.namespace,NAME:.metadata.name"
        listing = [
            "get",
            ",".join(resources),
            "--all-namespaces",
            "--no-headers",
            "--output",
            f"custom-columns={columns}",
        ]
        return comparison.objects(operator.ask("kubectl", *listing))

    def _unchanged(self, before: set[str], after: set[str]) -> None:
        left, lost = sorted(after - before), sorted(before - after)
        if left or lost:
            raise ChecksFailed(
                "pulumi destroy", f"left behind: {left or 'nothing'}; took away: {lost or 'nothing'}", "Mend the stack."
            )

    def _pulls(self, cluster: Cluster, lock: Lock, receipt: Receipt) -> comparison.Pulls:
        pulled = [p.digest for p in pulled_images(cluster)]
        result = comparison.pulls(lock, [m.digest for m in receipt.models], pulled)
        self.timeline.fact("pulled", result.pulled)
        self.timeline.fact("discovered, not pulled", len(result.not_pulled))
        if not result.agree:
            raise ChecksFailed(
                "images pulled by the node",
                f"not discovered: {result.undiscovered or 'none'}; in a pod, never pulled: {result.missing or 'none'}",
                "Teach discovery the place, or remove it.",
            )
        return result
