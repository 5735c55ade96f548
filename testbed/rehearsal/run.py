"""The rehearsal itself: the order of the steps, and the verdict."""

from __future__ import annotations

import secrets
import shutil
import sys
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal

from mirror.apiserver import FLAGS
from mirror.layout import LOCK
from mirror.lock import Lock
from testbed.node import Cluster, Paths, Site
from testbed.pulumi import launch
from testbed.toolchain import disk, programs, scanners
from testbed.toolchain.cache import cache_directory
from testbed.upstream.upstream import Upstream

from . import stack
from .deployment import Deployment, audit_log
from .operator import Operator
from .packer import Packer
from .timeline import Timeline

NEEDED = 15 * disk.GB
"""Disk beside the cache: bundle, internal registry, and the node's images unpacked (6 GB in all), and as much again."""

_OF_THE_SITE = {"a CNI that enforces NetworkPolicy": "testbed/node/policy_enforcer.py, over nftables"}


@dataclass
class Rehearsal:
    """One run. ``work`` is emptied of what an earlier run left, except the lock and the bundle, which are reused."""

    work: Path
    stacks: list[str]
    upstream: Literal["local", "public"]
    timeline: Timeline
    keep: bool = False
    up_only: bool = False
    """End when the first stack is up, and leave it up, to be tried on."""
    cache: Path = field(default_factory=cache_directory)
    stand_ins: dict[str, str] = field(default_factory=lambda: dict(_OF_THE_SITE))

    def run(self) -> None:
        """Everything; raises the first error, ChecksFailed when something is not as promised. Cleans up either way."""
        self.keep = self.keep or self.up_only
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
            scanners.ensure(self.cache, self.timeline.report)
        source_map = None
        if self.upstream == "local":
            with self.timeline.step("upstream: images, charts, releases, model hub"):
                upstream = Upstream(self.cache / "upstream", self.programs, self.timeline.report)
                upstream.prepare()
                self.stand_ins |= {i.name: i.note for i in upstream.declared.images if i.contents != "real"}
                self.stand_ins["weights of the models"] = "random ones of the same kind (testbed/upstream/models.py)"
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
        with self.timeline.step("bundle/bootstrap sets up the operator's machine, no network"):
            machine = operator.bootstrapped(bundle, self.work / "site" / "machine")
        with self.timeline.step("sealift bundle verify, no network"):
            machine.sealift("trust", "init", packer.root, *trust, log="trust")
            machine.sealift("bundle", "verify", bundle, "--lock", packer.lock, *trust, log="verify")
        with self.timeline.step("sealift load"):
            load: list[str | Path] = ["load", bundle, "--registry", site.registry, "--ca-file", site.ca_file]
            machine.sealift(*load, *trust, "--output", receipt.parent, log="load")
        with self.timeline.step("a Kubernetes cluster that pulls from the internal registry only"):
            certs_d = self.work / "site" / "certs.d"
            machine.sealift(
                *("nodeconfig", "containerd", "--receipt", receipt, "--ca-file", site.ca_file, "--output", certs_d),
                log="nodeconfig",
            )
            api_server_d = self.work / "site" / "apiserver.d"
            given: list[str | Path] = [
                "--output",
                api_server_d,
                "--directory",
                api_server_d,
                "--log",
                audit_log(self.work),
            ]
            machine.sealift("nodeconfig", "apiserver", *given, log="nodeconfig")
            cluster = Cluster.create(site, certs_d=certs_d, api_server_flags=api_server_d / FLAGS)
            if not self.keep:
                cleanup.callback(cluster.down)
        operator = operator.knowing(KUBECONFIG=str(cluster.kubeconfig), SEALIFT_RECEIPT=str(receipt))
        with self.timeline.step("sealift preflight"):
            machine.sealift("preflight", "--kubeconfig", cluster.kubeconfig, log="preflight")
        lock = Lock.read(bundle / LOCK)
        for name in self.stacks:
            deployment = Deployment(name, self.work, receipt, lock, cluster, operator, self.timeline)
            deployment.up()
            if self.up_only:
                return
            deployment.prove(with_others=name == self.stacks[0], keep=self.keep, stand_ins=self.stand_ins)
