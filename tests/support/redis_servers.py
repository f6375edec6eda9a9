"""Redis as sites run it: alone, as a cluster, and as a master with a replica that sentinels watch."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import redis
from authority import Certificates, certificates
from server_process import Server, free_port, program, wait_for

Trouble = (redis.RedisError, OSError)
NODE_TIMEOUT_MS = 1000
"""After this time without an answer a cluster node is thought dead; short, so that tests are."""
SLOTS = 16384


class Redis(Server):
    """redis-server with nothing on disk unless `appendonly`: what is killed comes back empty.

    password    of the default user
    acl         user → rules of an ACL file ("on >secret ~* +@all"); the default user is off then, unless it is among them
    tls         TLS only, with certificates made for it, or these (`ca` is what a client trusts)
    maxmemory   as Redis writes it ("8mb"); noeviction: writes are refused then
    databases   logical ones, numbered from 0
    more        further options, as on the command line
    """

    name = "redis"

    def __init__(
        self,
        *,
        password: str | None = None,
        acl: Mapping[str, str] | None = None,
        tls: bool | Certificates = False,
        maxmemory: str | None = None,
        appendonly: bool = False,
        databases: int = 16,
        more: Sequence[str] = (),
    ) -> None:
        super().__init__()
        self.databases = databases
        self.password, self.acl, self.tls = password, acl, bool(tls)
        self.maxmemory, self.appendonly, self.more = maxmemory, appendonly, tuple(more)
        self.certificates: Certificates | None = None
        if tls:
            self.certificates = tls if isinstance(tls, Certificates) else certificates(self.directory)
        if acl is not None:
            self._write_acl(acl)

    def _write_acl(self, acl: Mapping[str, str]) -> None:
        users = {"default": "off", "tests": "on >tests ~* &* +@all"} | dict(acl)
        text = "".join(f"user {name} {rules}\n" for name, rules in users.items())
        (self.directory / "users.acl").write_text(text)

    def command(self) -> Sequence[str]:
        made = [program("redis-server"), "--bind", "127.0.0.1", "--dir", str(self.directory), "--save", ""]
        made += [
            "--port",
            "0" if self.tls else str(self.port),
            "--protected-mode",
            "no",
            "--databases",
            str(self.databases),
        ]
        made += ["--appendonly", "yes" if self.appendonly else "no", "--maxmemory-policy", "noeviction"]
        if self.maxmemory:
            made += ["--maxmemory", self.maxmemory]
        if self.acl is not None:
            made += ["--aclfile", str(self.directory / "users.acl")]
        elif self.password:
            made += ["--requirepass", self.password, "--masterauth", self.password]
        if self.certificates is not None:
            made += ["--tls-port", str(self.port), "--tls-auth-clients", "no", "--tls-replication", "yes"]
            made += ["--tls-cluster", "yes", "--tls-ca-cert-file", str(self.certificates.ca)]
            made += ["--tls-cert-file", str(self.certificates.certificate)]
            made += ["--tls-key-file", str(self.certificates.key)]
        return [*made, *self.more]

    def client(self, **more: Any) -> redis.Redis:
        """A client with all rights, for tests: fill it, flush it, look into it."""
        options: dict[str, Any] = {"password": self.password} if self.password else {}
        if self.acl is not None:
            options = {"username": "tests", "password": "tests"}
        if self.certificates is not None:
            options |= {"ssl": True, "ssl_ca_certs": str(self.certificates.ca)}
        options |= {"socket_timeout": 5.0, "retry": None, "protocol": 2}
        return redis.Redis("127.0.0.1", self.port, **options | more)

    def call(self, *command: Any) -> Any:
        with self.client() as client:
            return client.execute_command(*command)

    def answers(self) -> bool:
        try:
            return bool(self.call("PING"))
        except Trouble:
            return False

    @property
    def url(self) -> str:
        """As the `state` setting wants it, without credentials."""
        return f"{'rediss' if self.tls else 'redis'}://127.0.0.1:{self.port}/0"

    @property
    def ca(self) -> str | None:
        return str(self.certificates.ca) if self.certificates else None

    def flush(self) -> None:
        self.call("FLUSHALL")

    def fill(self) -> None:
        """Full: it uses more than `maxmemory` already, and every write is refused until there is `room`."""
        self.call("CONFIG", "SET", "maxmemory", "1")

    def room(self) -> None:
        """The memory it had at the start is there again."""
        self.call("CONFIG", "SET", "maxmemory", self.maxmemory or "0")


class RedisCluster:
    """Masters that share the slots evenly, each with so many replicas; nodes in the order: masters, then replicas.

    full_coverage  False: slots whose master is alive are served even where another master is dead
    """

    def __init__(
        self, masters: int = 3, replicas: int = 0, *, full_coverage: bool = False, tls: bool = False,
        password: str | None = None,
    ) -> None:  # fmt: skip
        self.masters, self.replicas = masters, replicas
        options = ["--cluster-enabled", "yes", "--cluster-node-timeout", str(NODE_TIMEOUT_MS)]
        options += ["--cluster-require-full-coverage", "yes" if full_coverage else "no"]
        options += ["--cluster-allow-replica-migration", "no", "--repl-diskless-sync-delay", "0"]
        options += ["--cluster-replica-validity-factor", "0"]
        self.nodes = []
        self.bus: list[int] = []
        shared: bool | Certificates = tls
        for _ in range(masters * (1 + replicas)):
            self.bus.append(free_port())
            more = [*options, "--cluster-port", str(self.bus[-1])]
            self.nodes.append(Redis(tls=shared, password=password, more=more))
            shared = self.nodes[0].certificates or False

    def start(self) -> RedisCluster:
        for node in self.nodes:
            node.start()
        share = [SLOTS * number // self.masters for number in range(self.masters + 1)]
        for number, node in enumerate(self.nodes):
            node.call("CLUSTER", "SET-CONFIG-EPOCH", number + 1)
            if number < self.masters:
                node.call("CLUSTER", "ADDSLOTSRANGE", share[number], share[number + 1] - 1)
        first = self.nodes[0]
        for node, bus in list(zip(self.nodes, self.bus, strict=True))[1:]:
            first.call("CLUSTER", "MEET", "127.0.0.1", node.port, bus)
        everybody = len(self.nodes)
        wait_for(
            lambda: all(self._known(node) == everybody for node in self.nodes), "the nodes do not know one another"
        )
        for number, node in enumerate(self.nodes[self.masters :]):
            master = self.nodes[number % self.masters].call("CLUSTER", "MYID")
            node.call("CLUSTER", "REPLICATE", master.decode() if isinstance(master, bytes) else master)
        self.wait_ok()
        replicas = self.nodes[self.masters :]
        wait_for(lambda: all(self._link(node) == "up" for node in replicas), "the replicas do not follow")
        return self

    @staticmethod
    def _info(node: Redis) -> dict[str, str]:
        text = node.call("CLUSTER", "INFO")
        if isinstance(text, dict):
            return {str(key): str(value) for key, value in text.items()}
        lines = (text.decode() if isinstance(text, bytes) else text).split()
        return dict(line.split(":", 1) for line in lines)

    def _known(self, node: Redis) -> int:
        return int(self._info(node)["cluster_known_nodes"])

    @staticmethod
    def _link(node: Redis) -> str:
        return str(node.call("INFO", "replication").get("master_link_status"))

    def wait_ok(self, seconds: float = 20) -> None:
        """Every living node says cluster_state:ok and all slots are served."""

        def fine() -> bool:
            try:
                found = [self._info(node) for node in self.nodes if node.pid is not None]
            except Trouble:
                return False
            return all(info["cluster_state"] == "ok" and info["cluster_slots_ok"] == str(SLOTS) for info in found)

        wait_for(fine, "the cluster does not come to cluster_state:ok", seconds)

    @property
    def url(self) -> str:
        scheme = "rediss" if self.nodes[0].tls else "redis"
        return f"{scheme}+cluster://" + ",".join(f"127.0.0.1:{node.port}" for node in self.nodes[: self.masters])

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        return tuple(("127.0.0.1", node.port) for node in self.nodes)

    def node_of(self, key: bytes) -> Redis:
        """The living master that serves this key now."""
        alive = next(node for node in self.nodes if node.pid is not None)
        slot = int(alive.call("CLUSTER", "KEYSLOT", key))
        for begin, end, master, *_ in alive.call("CLUSTER", "SLOTS"):
            if begin <= slot <= end:
                return next(node for node in self.nodes if node.port == int(master[1]))
        raise AssertionError(f"nobody serves slot {slot}")

    def wait_taken_over(self, dead: Redis, seconds: float = 20) -> None:
        """A replica serves what `dead` did."""

        def others() -> set[int]:
            alive = next(node for node in self.nodes if node.pid is not None)
            return {int(master[1]) for _, _, master, *_ in alive.call("CLUSTER", "SLOTS")}

        wait_for(lambda: dead.port not in others(), "no replica takes over", seconds)
        self.wait_ok(seconds)

    def flush(self) -> None:
        for node in self.nodes:
            if node.pid is not None and node.call("INFO", "replication")["role"] == "master":
                node.flush()

    def close(self) -> None:
        for node in self.nodes:
            node.close()

    def __enter__(self) -> RedisCluster:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()


class _SentinelProcess(Redis):
    name = "sentinel"

    def __init__(self, master: Redis, quorum: int, down_ms: int) -> None:
        super().__init__()
        self.file = self.directory / "sentinel.conf"
        lines = [f"port {self.port}", "bind 127.0.0.1", "protected-mode no", f"dir {self.directory}"]
        lines += [f"sentinel monitor mymaster 127.0.0.1 {master.port} {quorum}"]
        lines += [f"sentinel down-after-milliseconds mymaster {down_ms}", "sentinel failover-timeout mymaster 3000"]
        if master.password:
            lines.append(f"sentinel auth-pass mymaster {master.password}")
        self.file.write_text("\n".join(lines) + "\n")

    def command(self) -> Sequence[str]:
        text = re.sub(r"(?m)^port \d+$", f"port {self.port}", self.file.read_text())
        self.file.write_text(text)
        return [program("redis-server"), str(self.file), "--sentinel"]


class Sentinels:
    """A master, a replica, and so many sentinels (quorum: their majority) that know both as `mymaster`."""

    def __init__(self, sentinels: int = 1, *, password: str | None = None, down_ms: int = 500) -> None:
        self.count, self.password, self.down_ms = sentinels, password, down_ms
        self.master = Redis(password=password, more=["--repl-diskless-sync-delay", "0"])
        self.replica = Redis(password=password, more=["--repl-diskless-sync-delay", "0"])
        self.sentinels: list[_SentinelProcess] = []

    def start(self) -> Sentinels:
        self.master.start()
        self.replica.start()
        self.replica.call("REPLICAOF", "127.0.0.1", self.master.port)
        wait_for(lambda: self.replica.call("INFO", "replication").get("master_link_status") == "up", "no replication")
        for _ in range(self.count):
            made = _SentinelProcess(self.master, self.count // 2 + 1, self.down_ms)
            made.start()
            self.sentinels.append(made)
        wait_for(lambda: all(self._sees_all(each) for each in self.sentinels), "the sentinels do not see everybody", 40)
        return self

    def _sees_all(self, sentinel: Redis) -> bool:
        told = sentinel.call("INFO", "sentinel")["master0"]
        return int(told["slaves"]) == 1 and int(told["sentinels"]) == self.count and told["status"] == "ok"

    @property
    def current(self) -> Redis:
        """Who is master now, as the first living sentinel says."""
        sentinel = next(each for each in self.sentinels if each.pid is not None)
        _, port = sentinel.call("SENTINEL", "GET-MASTER-ADDR-BY-NAME", "mymaster")
        return next(each for each in (self.master, self.replica) if each.port == int(port))

    @property
    def url(self) -> str:
        return "redis+sentinel://" + ",".join(f"127.0.0.1:{each.port}" for each in self.sentinels) + "/mymaster/0"

    @property
    def addresses(self) -> tuple[tuple[str, int], ...]:
        return tuple(("127.0.0.1", each.port) for each in self.sentinels)

    def close(self) -> None:
        for each in (*self.sentinels, self.replica, self.master):
            each.close()

    def __enter__(self) -> Sentinels:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()
