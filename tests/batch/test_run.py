"""Runs of a batch: order, number under way, interruption; and the official client against a server on loopback."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import openai
import pytest

from batch import file, run
from batch.file import Request, Response, Result
from tests.serving import running


def requests(count: int) -> list[Request]:
    return [
        Request(custom_id=f"r{n}", method="POST", url="/v1/completions", body={"prompt": str(n)}) for n in range(count)
    ]


def answer(request: Request, status: int = 200) -> Result:
    response = Response(status_code=status, request_id="", body=request.body)
    return Result(id=f"id-{request.custom_id}", custom_id=request.custom_id, response=response)


def test_results_stand_in_the_order_of_the_requests_whatever_came_first(tmp_path: Path) -> None:
    first = threading.Event()

    def ask(request: Request) -> Result:
        if request.custom_id == "r0":
            first.wait(10)
        elif request.custom_id == "r3":
            first.set()
        return answer(request)

    came: list[str] = []
    output = tmp_path / "out.jsonl"
    run.run(requests(4), ask, output, at_once=2, progress=lambda r: came.append(r.custom_id))
    assert came.index("r0") > came.index("r1")
    assert list(file.read_results(output)) == ["r0", "r1", "r2", "r3"]


def test_no_more_are_under_way_than_asked_for(tmp_path: Path) -> None:
    lock, under_way, most = threading.Lock(), 0, 0
    full = threading.Barrier(3, timeout=10)

    def ask(request: Request) -> Result:
        nonlocal under_way, most
        with lock:
            under_way += 1
            most = max(most, under_way)
        full.wait()
        with lock:
            under_way -= 1
        return answer(request)

    run.run(requests(9), ask, tmp_path / "out.jsonl", at_once=3)
    assert most == 3


def test_an_interrupted_run_goes_on_where_it_was_and_asks_again_what_may_go_better(tmp_path: Path) -> None:
    output = tmp_path / "out.jsonl"

    def dies(request: Request) -> Result:
        if request.custom_id == "r2":
            raise KeyboardInterrupt
        return answer(request, status=503 if request.custom_id == "r1" else 200)

    with pytest.raises(KeyboardInterrupt):
        run.run(requests(4), dies, output, at_once=1)
    assert not output.exists()
    asked: list[str] = []

    def ask(request: Request) -> Result:
        asked.append(request.custom_id)
        return answer(request)

    results = run.run(requests(4), ask, output, at_once=1)
    assert asked == ["r1", "r2", "r3"]
    assert [r.custom_id for r in results] == ["r0", "r1", "r2", "r3"]
    assert [p.name for p in tmp_path.iterdir()] == ["out.jsonl"]


class Handler(BaseHTTPRequestHandler):
    busy = 2

    def log_message(self, format: str, *args: object) -> None:
        """Stay quiet."""

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        if asked["prompt"] == "busy" and Handler.busy:
            Handler.busy -= 1
            self.reply(429, b"{}", ("retry-after", "0.01"))
        elif asked["prompt"] == "page":
            self.reply(404, b"<html>no such page</html>")
        elif asked["prompt"] == "drop":
            self.close_connection = True
        else:
            self.reply(200, json.dumps({"text": asked["prompt"], "path": self.path}).encode())

    def reply(self, status: int, body: bytes, *headers: tuple[str, str]) -> None:
        self.send_response(status)
        for name, value in (("content-length", str(len(body))), ("x-request-id", "id-7"), *headers):
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)


@pytest.fixture
def client() -> Iterator[openai.OpenAI]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    url = f"http://127.0.0.1:{server.server_address[1]}/v1"
    with running(server), openai.OpenAI(base_url=url, api_key="key", max_retries=2) as made:
        yield made


def ask(client: openai.OpenAI, prompt: str) -> Result:
    return run.ask(client, Request(custom_id="a", method="POST", url="/v1/completions", body={"prompt": prompt}))


def test_an_answer_is_kept_as_it_came(client: openai.OpenAI) -> None:
    found = ask(client, "hello").response
    assert found == Response(status_code=200, request_id="id-7", body={"text": "hello", "path": "/v1/completions"})


def test_a_busy_gateway_is_asked_again(client: openai.OpenAI) -> None:
    Handler.busy = 2
    assert ask(client, "busy").succeeded
    assert Handler.busy == 0


def test_a_refusal_is_a_result_also_where_it_is_no_json(client: openai.OpenAI) -> None:
    found = ask(client, "page").response
    assert found
    assert (found.status_code, found.body) == (404, {"text": "<html>no such page</html>"})


def test_no_answer_is_told_as_an_error(client: openai.OpenAI) -> None:
    found = ask(client.with_options(max_retries=0), "drop")
    assert found.response is None
    assert found.error
    assert found.error.code == "APIConnectionError"
