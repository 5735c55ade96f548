import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from benchmarks.mirror import measure as measuring
from benchmarks.mirror.measure import Failed, Measured, Where, measure

MB = 10**6


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_processor_time_of_children_counts_too(tmp_path: Path) -> None:
    busy = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    found = measure(
        python(f"import subprocess, sys; subprocess.run([sys.executable, '-c', {busy!r}])"), Where(tmp_path)
    )
    assert 0.3 <= found.cpu < 2
    assert found.wall >= 0.3


def test_memory_is_that_of_all_processes_together(tmp_path: Path) -> None:
    hold = "held = bytes(range(256)) * 300_000; import time; time.sleep(0.5)"
    code = f"import subprocess, sys; ps = [subprocess.Popen([sys.executable, '-c', {hold!r}]) for _ in '12']; "
    found = measure(python(code + "[p.wait() for p in ps]"), Where(tmp_path))
    assert 2 * 76 * MB < found.rss < 400 * MB


WRITE = "import os, time; f = open({path!r}, 'wb'); f.write(b'x' * 8_000_000); f.flush(); "


def test_disk_is_the_peak_and_not_what_is_left(tmp_path: Path) -> None:
    (tmp_path / "before").write_bytes(bytes(5 * MB))
    code = WRITE.format(path=str(tmp_path / "big")) + "time.sleep(0.5); os.unlink(f.name)"
    assert 8 * MB <= measure(python(code), Where(tmp_path)).disk < 9 * MB


def test_disk_counts_a_file_that_has_no_name_any_more(tmp_path: Path) -> None:
    code = WRITE.format(path=str(tmp_path / "gone")) + "os.unlink(f.name); time.sleep(0.5)"
    assert measure(python(code), Where(tmp_path)).disk >= 8 * MB


def test_a_file_of_two_names_counts_once(tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(bytes(range(256)) * 4000)
    (tmp_path / "two").hardlink_to(tmp_path / "one")
    assert MB <= measuring.used(tmp_path, []) < 2 * MB


def test_bytes_over_the_loopback_are_counted(tmp_path: Path) -> None:
    code = (
        "import socket; s = socket.create_server(('127.0.0.1', 0)); c = socket.create_connection(s.getsockname()); "
        "a, _ = s.accept(); [(c.sendall(bytes(100_000)), a.recv(100_000, socket.MSG_WAITALL)) for _ in range(50)]"
    )
    assert measure(python(code), Where(tmp_path)).wire >= 5 * MB


def test_the_registry_s_time_is_counted_apart(tmp_path: Path) -> None:
    with subprocess.Popen(python("while True: pass")) as registry:
        found = measure(python("import time; time.sleep(0.5)"), Where(tmp_path, psutil.Process(registry.pid)))
        registry.kill()
    assert found.registry_cpu > 0.02
    assert found.registry_cpu > found.cpu - 0.2


def test_a_command_that_fails_is_told_with_its_last_words(tmp_path: Path) -> None:
    with pytest.raises(Failed, match=r"exit status 3\n.*no such registry"):
        measure(python("import sys; print('no such registry'); sys.exit(3)"), Where(tmp_path))


def test_commands_are_given_a_home_of_their_own(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/elsewhere")
    code = "import os, pathlib; assert 'XDG_CACHE_HOME' not in os.environ; pathlib.Path.home().joinpath('x').touch()"
    measure(python(code), Where(tmp_path))
    assert (tmp_path / "home" / "x").exists()


def test_commands_one_after_another_are_added_up() -> None:
    one, two = Measured(1, 2, 3, 40, 50, 6), Measured(10, 20, 30, 4, 5, 60)
    assert one + two == Measured(11, 22, 33, 40, 50, 66)
