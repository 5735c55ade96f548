"""Processes are ended by identity, and nothing else is."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from mirror.errors import BadInput, ToolMissing
from testbed.node import site
from testbed.node.ledger import Book, Busy, Ledger
from testbed.node.processes import Process, in_network_namespace, output, require, wait_until


@pytest.fixture
def book(tmp_path: Path) -> Iterator[Book]:
    book = Book(tmp_path / "site.json")
    yield book
    book.end()
    book.close()


def sleeper(book: Book, tmp_path: Path, name: str = "sleeper") -> Process:
    return book.start(name, ["sleep", "60"], tmp_path / "log", dict(os.environ))


def test_a_started_process_is_alive_until_it_is_ended(book: Book, tmp_path: Path) -> None:
    process = sleeper(book, tmp_path)
    assert process.alive
    book.end()
    assert not process.alive
    assert book.ledger.processes == []


def test_a_later_process_with_the_same_pid_is_left_alone(book: Book, tmp_path: Path) -> None:
    process = sleeper(book, tmp_path)
    before = process.model_copy(update={"start": process.start - 1})
    assert not before.alive
    before.end(signal.SIGKILL)
    assert process.alive


def test_a_process_that_ignores_sigterm_is_killed(book: Book, tmp_path: Path) -> None:
    stubborn = "import signal,time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    log = tmp_path / "log"
    process = book.start("stubborn", [sys.executable, "-c", stubborn], log, dict(os.environ))
    wait_until("its handler", lambda: "1" in log.read_text(), seconds=10, needs=[process])
    process.end(grace=0.2)
    assert not process.alive


def test_ending_by_name_leaves_the_others_running(book: Book, tmp_path: Path) -> None:
    one, other = sleeper(book, tmp_path, "one"), sleeper(book, tmp_path, "other")
    book.end({"one"})
    assert not one.alive
    assert other.alive
    assert book.ledger.processes == [other]


def test_a_name_in_use_is_refused_even_to_its_own_process(book: Book, tmp_path: Path) -> None:
    with pytest.raises(Busy, match="another process is using it"):
        Book(tmp_path / "site.json")


def killed(directory: Path, name: str) -> None:
    """An orchestrator of ``name`` that started a process, made directories, and was killed."""
    code = (
        "import os, pathlib, signal, sys; from testbed.node.ledger import Book; d = pathlib.Path(sys.argv[1]);"
        f"b = Book(d / '{name}.json'); b.start('left', ['sleep', '60'], d / 'log', dict(os.environ));"
        "b.own(d / 'made' / 'below'); os.kill(os.getpid(), signal.SIGKILL)"
    )
    done = subprocess.run([sys.executable, "-c", code, str(directory)], cwd=Path(__file__).parents[2])
    assert done.returncode == -signal.SIGKILL


def test_what_a_killed_orchestrator_left_is_ended_by_the_next(tmp_path: Path) -> None:
    killed(tmp_path, "site")
    book = Book(tmp_path / "site.json")
    (left,) = book.ledger.processes
    assert left.alive
    book.end()
    book.disown()
    book.close()
    assert not left.alive
    assert not (tmp_path / "made").exists()


def test_what_was_left_up_can_be_taken_down_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(site, "_LEDGERS", tmp_path)
    killed(tmp_path, "of-a-test")
    (left,) = Ledger.read(tmp_path / "of-a-test.json").processes
    assert site.Site.take_down("of-a-test")
    assert not left.alive
    assert not (tmp_path / "made").exists()
    assert not site.Site.take_down("of-a-test")


def test_a_ledger_of_another_boot_names_no_processes(tmp_path: Path) -> None:
    path = tmp_path / "site.json"
    path.write_text(
        f'{{"version": 1, "boot": "other", "processes": [{{"name": "x", "pid": {os.getpid()}, "start": 1}}]}}'
    )
    book = Book(path)
    assert book.ledger.processes == []
    book.close()


def test_a_directory_that_was_there_or_is_not_empty_stays(book: Book, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.mkdir()
    book.own(there / "made")
    (there / "made" / "file").touch()
    book.disown()
    assert (there / "made" / "file").exists()
    assert book.ledger.directories == []


def test_closing_twice_does_nothing_more(tmp_path: Path) -> None:
    book = Book(tmp_path / "site.json")
    book.close()
    book.close()
    assert book.closed


def test_waiting_ends_at_once_when_what_it_needs_has_ended(book: Book, tmp_path: Path) -> None:
    log = tmp_path / "log"
    code = "print('the reason')"
    process = book.start("broken", [sys.executable, "-c", code], log, dict(os.environ))
    begun = time.monotonic()
    with pytest.raises(ToolMissing, match="broken ended; its log ends: the reason"):
        wait_until("something", lambda: False, seconds=30, needs=[process], log=log)
    assert time.monotonic() - begun < 10


def test_waiting_is_bounded() -> None:
    with pytest.raises(ToolMissing, match="not within 0 s"):
        wait_until("something", lambda: False, seconds=0.1)


def test_a_failing_command_is_reported_with_what_it_said() -> None:
    with pytest.raises(ToolMissing, match="exit status 3: no luck"):
        output([sys.executable, "-c", "import sys; print('no luck', file=sys.stderr); sys.exit(3)"])


def test_processes_are_found_by_their_network_namespace() -> None:
    assert os.getpid() in {p.pid for p in in_network_namespace(Path("/proc/self/ns/net"))}
    assert in_network_namespace(Path("/proc/self/ns/pid")) == []


def test_missing_programs_are_named_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "there").touch(mode=0o755)
    require(["there"], path=str(tmp_path))
    with pytest.raises(ToolMissing, match="absent: not found on PATH"):
        require(["there", "absent"], path=str(tmp_path))


def test_a_directory_that_is_no_sites_is_not_emptied(tmp_path: Path) -> None:
    (tmp_path / "precious").touch()
    with pytest.raises(BadInput, match="holds files of something else"):
        site._empty(tmp_path)
    assert (tmp_path / "precious").exists()


def test_the_directory_of_an_earlier_site_is_emptied(tmp_path: Path) -> None:
    state = tmp_path / "state"
    site._empty(state)
    (state / "old").touch()
    site._empty(state)
    assert not (state / "old").exists()
