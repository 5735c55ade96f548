"""vLLM's metrics, read."""

from smoke_tests.model_metrics import Work

METRICS = """\
# HELP vllm:num_requests_running Number of requests in model execution batches.
# TYPE vllm:num_requests_running gauge
vllm:num_requests_running{engine="0",model_name="chat"} 8.0
vllm:num_requests_running{engine="1",model_name="chat"} 2.0
vllm:generation_tokens_total{engine="0",model_name="chat"} 1908.0
vllm:generation_tokens_created{engine="0",model_name="chat"} 1.79e+09
"""


def test_engines_are_added_up_and_other_lines_left_alone() -> None:
    assert Work.parse(METRICS) == Work(running=10, generated=1908)


def test_a_server_that_has_done_nothing_has_done_nothing() -> None:
    assert Work.parse("") == Work(running=0, generated=0)
