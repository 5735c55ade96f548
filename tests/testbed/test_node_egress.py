"""Counters and logs become a report that names pods."""

from pathlib import Path

from testbed.node.egress import Attempt, EgressReport, attempts, pod_origins, questions

RULESET = {
    "nftables": [
        {"metainfo": {"version": "1.0.6"}},
        {
            "set": {
                "name": "attempts",
                "elem": [
                    {
                        "elem": {
                            "val": {"concat": ["10.244.0.4", "9.9.9.10", "tcp", 80]},
                            "counter": {"packets": 1, "bytes": 60},
                        }
                    },
                    {
                        "elem": {
                            "val": {"concat": ["10.77.0.2", "8.8.8.8", "udp", 53]},
                            "counter": {"packets": 7, "bytes": 60},
                        }
                    },
                ],
            }
        },
    ]
}
KUBELET_LINE = (
    "2026-11-23T00:24:01.1Z stdout F [INFO] 10.244.0.4:34567 - 12345 "
    '"AAAA IN stats.vllm.ai. udp 31 false 512" NXDOMAIN qr,aa,rd 31 0.0001s\n'
)
BARE_LINE = '[INFO] 10.77.0.1:1 - 2 "A IN pypi.example. udp 31 false 512" NXDOMAIN qr,aa,rd 31 0.0001s\n'


def test_attempts_name_their_pod_and_come_in_order_of_packets() -> None:
    found = attempts(RULESET, {"10.244.0.4": "pod t/a", "10.77.0.2": "node"})
    assert [(a.origin, a.destination, a.protocol, a.port, a.packets) for a in found] == [
        ("node", "8.8.8.8", "udp", 53, 7),
        ("pod t/a", "9.9.9.10", "tcp", 80, 1),
    ]


def test_an_empty_counter_is_no_attempt() -> None:
    assert attempts({"nftables": [{"metainfo": {}}, {"set": {"name": "attempts"}}]}, {}) == []


def test_a_source_that_nobody_knows_is_unknown() -> None:
    assert {a.origin for a in attempts(RULESET, {})} == {"unknown"}


def test_an_address_that_passed_on_names_every_pod_that_had_it() -> None:
    given = [("10.244.0.4", "t/a"), ("10.244.0.4", "t/b"), ("10.244.0.4", "t/a"), ("10.244.0.5", "t/c")]
    assert pod_origins(given) == {"10.244.0.4": "pod t/a or pod t/b", "10.244.0.5": "pod t/c"}


def test_questions_are_read_from_the_kubelets_log_and_from_a_bare_one() -> None:
    found = questions([KUBELET_LINE, KUBELET_LINE, BARE_LINE, ".:53\n"], {"10.244.0.4": "pod t/a"})
    assert [(q.origin, q.source, q.name, q.type, q.times) for q in found] == [
        ("pod t/a", "10.244.0.4", "stats.vllm.ai", "AAAA", 2),
        ("unknown", "10.77.0.1", "pypi.example", "A", 1),
    ]


def test_a_report_is_quiet_only_without_attempts_and_questions(tmp_path: Path) -> None:
    attempt = Attempt(origin="node", source="10.77.0.2", destination="8.8.8.8", protocol="udp", port=53, packets=7)
    report = EgressReport(attempts=[attempt], questions=[])
    assert not report.quiet
    assert EgressReport(attempts=[], questions=[]).quiet
    report.write(tmp_path / "egress.json")
    assert EgressReport.read(tmp_path / "egress.json") == report
