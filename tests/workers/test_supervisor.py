"""The parent and its workers, as processes: who dies is replaced, who leaves loses nobody, and nobody stays behind."""

from __future__ import annotations

import os
import signal
import socket
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from running import until
from toy_workers import Toys, ask, read_answer

from gateway.workers.processes import Patience, Process, Slot, how
from gateway.workers.snapshots import RunDirectory
from gateway.workers.supervisor import Supervisor

Start = Callable[..., Toys]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    made: list[Toys] = []

    def make(count: int = 2, before: tuple[str, ...] = (), **patience: float) -> Toys:
        for file in before:
            (tmp_path / file).touch()
        made.append(Toys(tmp_path, count, **patience))
        return made[0]

    yield make
    for toys in made:
        toys.close()


class Load:
    """Visitors in threads: half open a connection for each request, half keep theirs as long as the server lets them. Each answer is awaited."""

    def __init__(self, toys: Toys, visitors: int = 6) -> None:
        self.toys, self.lost, self.seen = toys, [], []  # type: ignore[var-annotated]
        self._over = threading.Event()
        self._threads = [threading.Thread(target=self._visit, args=(n % 2 == 0,)) for n in range(visitors)]

    def _visit(self, keep: bool) -> None:
        connection: socket.socket | None = None
        while not self._over.is_set():
            try:
                if connection is None:
                    connection = self.toys.connect()
                connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
                data = b""
                while not data.endswith(b"\n") or b"\r\n\r\n" not in data[:-2]:
                    piece = connection.recv(4096)
                    if not piece:
                        raise ConnectionResetError(f"closed after {data!r}")
                    data += piece
                self.seen.append(data.partition(b"\r\n\r\n")[2].split()[2].decode())
                if not keep or b"Connection: close" in data:
                    connection.close()
                    connection = None
            except OSError as error:
                self.lost.append(repr(error))
                connection = None
        if connection is not None:
            connection.close()

    def __enter__(self) -> Load:
        for thread in self._threads:
            thread.start()
        until(lambda: len(self.seen) > 50)
        return self

    def __exit__(self, *_: object) -> None:
        count = len(self.seen)
        until(lambda: len(self.seen) > count + 50)
        self._over.set()
        for thread in self._threads:
            thread.join()
        assert self.lost == []


def gone(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    return (
        Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    )  # nobody in a container may reap it


def test_a_killed_worker_is_replaced_and_the_other_serves_meanwhile(start: Start) -> None:
    toys = start(before=("wait",)).serving(2)
    killed, other = toys.pids()
    os.kill(killed, signal.SIGKILL)
    until(lambda: toys.logged("worker ended"))
    assert toys.pids() == {other}
    assert (
        toys.logged("worker ended")[0] | {"how": "killed by SIGKILL", "restart_in_s": 0.0, "serving": 1}
        == toys.logged("worker ended")[0]
    )
    toys.say("release")
    toys.serving(3)
    after = toys.pids()
    assert len(after) == 2
    assert other in after
    assert {seat for seat, _, _ in toys.answers()} == {0, 1}, "the successor has the seat of the one that died"
    assert toys.counted("leadgate_worker_restarts", "ended") == 1


def test_a_worker_that_dies_again_and_again_is_replaced_ever_more_slowly(start: Start) -> None:
    toys = start(1, before=("die",), first=0.02, last=0.08)
    until(lambda: len(toys.logged("worker ended")) >= 6)
    pauses = [line["restart_in_s"] for line in toys.logged("worker ended")[:6]]
    assert pauses == [0.0, 0.02, 0.04, 0.08, 0.08, 0.08]


def test_a_worker_that_was_well_is_replaced_at_once(start: Start) -> None:
    slot, patience = Slot(failures=5), Patience(first=0.2, last=30.0, well=60.0)
    process = Process(None, 1, None, started_at=100.0, edition=0, kill_at=None, ready=True)  # type: ignore[arg-type]
    assert slot.emptied(process, 159.0, patience) == 0.2 * 2**4
    assert slot.emptied(process, 160.0, patience) == 0.0
    assert (slot.due, slot.failures) == (160.0, 1)
    slot.failures = 1000
    assert slot.emptied(process, 101.0, patience) == 30.0


def test_the_end_of_a_process_in_words() -> None:
    assert (how(3), how(-9)) == ("exit code 3", "killed by SIGKILL")


def test_where_no_worker_ever_serves_the_parent_ends_and_says_why(start: Start) -> None:
    toys = start(before=("fail",))
    assert toys.wait() == 1
    assert "the toy is broken" in toys.output[-1]
    assert not list(toys.directory.glob("leadgate-*")), "the run directory is removed"


def test_a_worker_that_never_gets_ready_counts_as_failed(start: Start) -> None:
    toys = start(1, before=("fail",), start=0.2)
    assert toys.wait() == 1


def test_all_workers_are_replaced_under_load_and_nobody_notices(start: Start) -> None:
    toys = start().serving(2)
    before = toys.pids()
    with Load(toys):
        toys.signal(signal.SIGUSR1)
        toys.serving(4)
        until(lambda: len(toys.logged("worker ended")) >= 2)
    assert not toys.pids() & before
    assert all(line["serving"] >= 2 for line in toys.logged("worker ended")), "so many serve at any moment"
    assert {line["how"] for line in toys.logged("worker ended")} == {"exit code 0"}
    until(lambda: toys.counted("leadgate_worker_restarts", "rolled") == 2)


def test_changed_settings_are_taken_up_by_the_workers_that_run(start: Start) -> None:
    toys = start().serving(2)
    before = toys.pids()
    with Load(toys) as load:
        toys.say("settings", "two")
        until(lambda: toys.logged("reloaded"))
    assert "two" in load.seen
    assert {settings for _, _, settings in toys.answers()} == {"two"}
    assert toys.pids() == before
    until(lambda: toys.counted("leadgate_reloads", "applied") == 1)


def test_settings_for_new_workers_only_roll_them(start: Start) -> None:
    toys = start().serving(2)
    before = toys.pids()
    with Load(toys):
        toys.say("settings", "two-roll")
        until(lambda: toys.logged("reloaded"))
    assert {settings for _, _, settings in toys.answers()} == {"two-roll"}
    assert not toys.pids() & before


@pytest.mark.parametrize("settings", ["invalid", "refuse", "unusable-roll", "silent"])
def test_settings_that_cannot_be_used_change_nothing(start: Start, settings: str) -> None:
    toys = start(reload=0.5).serving(2)
    before = toys.pids()
    toys.say("settings", settings)
    until(lambda: toys.counted("leadgate_reloads", "refused") == 1)
    assert (toys.pids(), {used for _, _, used in toys.answers()}) == (before, {"one"})
    assert settings == "invalid" or toys.logged("reload refused")
    os.kill(before.pop(), signal.SIGKILL)
    until(lambda: any(line["how"] == "killed by SIGKILL" for line in toys.logged("worker ended")))
    until(lambda: len(toys.running()) == 2)
    assert {used for _, _, used in toys.answers()} == {"one"}, "a successor starts on what is in force"
    toys.say("settings", "three")
    until(lambda: toys.logged("reloaded"))
    assert {used for _, _, used in toys.answers()} == {"three"}


def test_a_worker_that_cannot_follow_the_others_is_replaced(start: Start) -> None:
    toys = start().serving(2)
    before = {seat: pid for seat, pid, _ in toys.answers()}
    toys.say("settings", "not-for-the-second")
    until(lambda: toys.logged("reloaded"))
    assert {used for _, _, used in toys.answers()} == {"not-for-the-second"}
    assert before[0] in toys.pids()
    assert before[1] not in toys.pids()


def test_sighup_reloads(start: Start) -> None:
    toys = start().serving(2)
    toys.signal(signal.SIGHUP)
    until(lambda: toys.counted("leadgate_reloads", "applied") == 1)


def test_stopping_finishes_what_every_worker_has_begun(start: Start) -> None:
    toys = start().serving(2)
    slow = slow_requests(toys)
    toys.signal(signal.SIGTERM)
    until(lambda: refused(toys), what="nobody new is let in")
    toys.signal(signal.SIGTERM)
    toys.say("go")
    assert {read_answer(connection)[1] for connection in slow.values()} == slow.keys()
    assert toys.wait() == 0
    assert not list(toys.directory.glob("leadgate-*"))


def slow_requests(toys: Toys) -> dict[int, socket.socket]:
    """A request under way at each of two workers, by process id. (Sockets close when they are forgotten.)"""
    slow = toys.connections()
    assert len(slow) == 2
    for connection in slow.values():
        connection.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    return slow


def refused(toys: Toys) -> bool:
    try:
        toys.connect().close()
    except ConnectionRefusedError:
        return True
    return False


def test_a_worker_that_does_not_stop_is_killed(start: Start) -> None:
    toys = start(1, before=("stuck",), drain=0.1, margin=0.1).serving(1)
    toys.signal(signal.SIGINT)
    assert toys.wait() == 1
    assert toys.logged("worker ended")[0]["how"] == "killed by SIGKILL"


def test_a_worker_that_stands_still_is_replaced(start: Start) -> None:
    toys = start(before=("stuck second",), hung=1.5).serving(3)
    (ended,) = toys.logged("worker ended")
    assert (ended["worker"], ended["how"]) == (1, "killed by SIGKILL")
    assert ended["error"] == "it stood still for 1.5 seconds"
    assert any("in live" in line for line in toys.output), "it says where"
    toys.serving(4)
    assert toys.counted("leadgate_worker_restarts", "ended") >= 1


def test_looks_are_counted_while_a_worker_stands_still() -> None:
    process = Process(None, 1, None, started_at=0.0, edition=0, kill_at=None)  # type: ignore[arg-type]
    assert [process.looked_at(beats) for beats in (0, 0, 0, 1, 1, 2)] == [0, 1, 2, 0, 1, 0]


def test_workers_whose_parent_died_finish_and_go(start: Start) -> None:
    toys = start().serving(2)
    slow = slow_requests(toys)
    toys.process.kill()
    until(lambda: refused(toys))
    toys.say("go")
    assert {read_answer(connection)[1] for connection in slow.values()} == slow.keys()
    until(lambda: all(gone(pid) for pid in slow))
    assert not list(toys.directory.glob("leadgate-*")), "the last one removed the run directory"


def test_signals_that_are_the_parents_business_do_nothing_to_a_worker(start: Start) -> None:
    toys = start(1).serving(1)
    (pid,) = toys.pids()
    for number in (signal.SIGHUP, signal.SIGINT, signal.SIGUSR1):
        os.kill(pid, number)
    with toys.connect() as connection:
        assert ask(connection)[1] == pid
    assert not toys.logged("worker ended")


def test_what_was_counted_by_workers_that_left_is_kept(start: Start) -> None:
    toys = start().serving(2)
    with toys.connect() as connection:
        asked = len([ask(connection) for _ in range(30)])
    toys.signal(signal.SIGUSR1)
    until(lambda: toys.counted("leadgate_worker_restarts", "rolled") == 2)
    assert toys.counted("leadgate_requests", "toy", "other") == asked


def test_a_damaged_file_of_counts_does_not_end_the_parent(start: Start) -> None:
    toys = start(before=("stuck second",), hung=1.5).serving(2)
    (directory,) = toys.directory.glob("leadgate-*")
    (directory / "1").write_bytes(b"{")  # its worker stands still and does not write it again
    toys.serving(3)
    assert toys.counted("leadgate_worker_restarts", "ended") >= 1


def test_where_no_process_can_be_started_it_is_tried_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Here the process of the tests is the parent, and nothing is forked."""

    def refuse() -> int:
        raise OSError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refuse)
    plan: Any = SimpleNamespace(changed=lambda: False, prepare=lambda: "roll", adopt=list, revert=list, drain_s=1.0)
    parent = Supervisor(2, plan, [], [], RunDirectory(tmp_path), Patience(first=5.0), clock=lambda: 100.0)
    parent._advance()
    parent._advance()
    assert [slot.due for slot in parent.slots] == [105.0, 105.0]
    parent.want("roll")
    parent._advance()
    parent.want("reload")
    parent._advance()
    parent._advance()
    assert (parent.edition, parent._steps, parent.processes) == (0, None, {})
