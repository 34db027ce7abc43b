"""Connector ``sftp`` against a real SSH server."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import asyncssh
import pytest

from ingestion.landing import receipts_of
from ingestion.sources.pull import pull
from tests.ingestion.conftest import NOW
from tests.ingestion.source_support import LONG_AGO, Killed, kill_at, put

pytestmark = pytest.mark.server
Build = Callable[[str], Any]
HOST_KEY = asyncssh.generate_private_key("ssh-ed25519")
USER_KEY = asyncssh.generate_private_key("ssh-ed25519")
PASSWORD = "geheim-4711"


class Door(asyncssh.SSHServer):
    def begin_auth(self, username: str) -> bool:
        return True

    def password_auth_supported(self) -> bool:
        return True

    def validate_password(self, username: str, password: str) -> bool:
        return (username, password) == ("xicheng", PASSWORD)

    def public_key_auth_supported(self) -> bool:
        return True

    def validate_public_key(self, username: str, key: asyncssh.SSHKey) -> bool:
        return username == "xicheng" and key == USER_KEY.convert_to_public()


class Server:
    """An SFTP server on a thread of its own; ``stop`` cuts every line.

    Attributes:
        die_after: cut all lines when so many files were opened; None never.
        extra: names put into every listing.
    """

    def __init__(self, root: Path) -> None:
        self.root, self.port = root, 0
        self.die_after: int | None = None
        self.opened = 0
        self.extra: list[str] = []
        self.loop = asyncio.new_event_loop()
        threading.Thread(target=self.loop.run_forever, daemon=True).start()
        self.lines: list[Any] = []
        self.start()

    def start(self) -> None:
        self._do(self._listen())

    def stop(self) -> None:
        self._do(self._close())

    def _do(self, coroutine: Any) -> None:
        asyncio.run_coroutine_threadsafe(coroutine, self.loop).result(10)

    async def _listen(self) -> None:
        owner = self

        class Files(asyncssh.SFTPServer):
            def __init__(self, channel: Any) -> None:
                super().__init__(channel, chroot=os.fsencode(owner.root))

            async def scandir(self, path: bytes) -> AsyncIterator[asyncssh.SFTPName]:
                for name in os.listdir(self.map_path(path)):
                    info = os.lstat(os.path.join(self.map_path(path), os.fsencode(name)))
                    yield asyncssh.SFTPName(os.fsencode(name), attrs=asyncssh.SFTPAttrs.from_local(info))
                for name in owner.extra:
                    attrs = asyncssh.SFTPAttrs(
                        type=asyncssh.FILEXFER_TYPE_REGULAR, size=3, mtime=1, permissions=0o100644
                    )
                    yield asyncssh.SFTPName(name.encode(), attrs=attrs)

            def open(self, path: bytes, pflags: int, attrs: Any) -> Any:
                owner.opened += 1
                if owner.die_after is not None and owner.opened > owner.die_after:
                    for line in owner.lines:
                        line.abort()
                    raise ConnectionResetError
                return super().open(path, pflags, attrs)

        class Remembering(Door):
            def connection_made(self, conn: Any) -> None:
                owner.lines.append(conn)

        self.listener = await asyncssh.listen(
            "127.0.0.1", self.port, server_host_keys=[HOST_KEY], server_factory=Remembering, sftp_factory=Files
        )
        self.port = self.listener.get_port()

    async def _close(self) -> None:
        self.listener.close()
        for line in self.lines:
            line.abort()
        self.lines.clear()
        await asyncio.sleep(0)


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    (tmp_path / "sftp" / "out").mkdir(parents=True)
    made = Server(tmp_path / "sftp")
    yield made
    made.stop()
    made.loop.call_soon_threadsafe(made.loop.stop)


@pytest.fixture
def house(build: Build, contracts: dict[str, str], server: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setenv("SFTP_PASSWORD", PASSWORD)
    monkeypatch.setattr("ingestion.sources.retry.FIRST_PAUSE_SECONDS", 0.01)
    return build(contract(contracts, server))


def contract(contracts: dict[str, str], server: Server, **changes: str) -> str:
    keys = {
        "connector": "sftp", "host": "127.0.0.1", "port": str(server.port), "user": "xicheng",
        "secret": "env:SFTP_PASSWORD", "folder": "/out", "timeout_seconds": "5",
        "host_key": HOST_KEY.export_public_key().decode().strip(), **changes,
    }  # fmt: skip
    source = "{" + ", ".join(f"{k}: '{v}'" if k == "pattern" else f"{k}: {v}" for k, v in keys.items() if v) + "}"
    return contracts["readings"].replace("{connector: files, path: t/f/*}", source)


def test_taken_once_corrected_and_left_there(house: Any, server: Server) -> None:
    path = put(server.root / "out" / "a.csv", "编号,雨量\nA,1\n")
    assert house.ingest().rows_loaded == 1
    assert house.ingest_all() == []
    put(path, "编号,雨量\nA,1\nB,2\n", LONG_AGO + 5)
    assert house.ingest().rows_loaded == 1
    assert path.exists()
    assert receipts_of(house.settings, "t__f")[0].source == f"sftp://127.0.0.1:{server.port}/out/a.csv"


def test_with_a_private_key_file(build: Build, contracts: dict[str, str], server: Server) -> None:
    house = build(contract(contracts, server, secret="", key="file:sftp_key"))
    put(server.root / "out" / "a.csv", "编号,雨量\nA,1\n")
    path = house.settings.keys / "sftp_key"
    path.write_bytes(USER_KEY.export_private_key())
    path.chmod(0o644)
    assert "can be read by others" in house.ingest().message
    path.chmod(0o600)
    assert house.ingest().rows_loaded == 1


def test_a_wrong_password_is_said_without_it(house: Any, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFTP_PASSWORD", "falsch-0815")
    put(server.root / "out" / "a.csv", "编号,雨量\nA,1\n")
    result = house.ingest()
    assert (result.verdict, result.error["error"]) == ("stopped", "LH210")
    assert "refused the credentials" in result.message
    assert "falsch" not in str(result)


def test_another_host_key_is_refused(
    build: Build, contracts: dict[str, str], server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SFTP_PASSWORD", PASSWORD)
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    house = build(contract(contracts, server, host_key=other))
    assert "another host key" in house.ingest().message
    house = build(contract(contracts, server, host_key="nonsense"))
    assert "no public key" in house.ingest().message


def test_down_halfway_and_back(house: Any, server: Server) -> None:
    for n in range(4):
        put(server.root / "out" / f"{n}.csv", f"编号,雨量\nS{n},1\n", LONG_AGO + n)
    server.die_after = 2
    results = house.ingest_all()
    assert [r.verdict for r in results] == ["passed", "passed", "stopped"]
    assert results[-1].error["error"] == "LH211"
    assert "the next pull goes on" in results[-1].message
    server.stop()
    assert house.ingest().error["error"] == "LH211"
    server.die_after = None
    server.start()
    assert [r.file for r in house.ingest_all()] == ["2.csv", "3.csv"]
    assert len(house.rows()) == 4


def test_a_line_cut_once_is_taken_up_again(house: Any, server: Server) -> None:
    put(server.root / "out" / "a.csv", "编号,雨量\nA,1\n")
    server.die_after = 0

    def revive(seconds: float) -> None:
        server.die_after = None

    pulled = pull(house.settings, house.catalog, "t__f", now=NOW, sleep=revive)
    assert (len(pulled.receipts), pulled.refused) == (1, [])


def test_hostile_names_are_refused_and_the_others_go_on(house: Any, server: Server, tmp_path: Path) -> None:
    put(server.root / "out" / "a.csv", "编号,雨量\nA,1\n")
    server.extra = ["../../evil.csv", "x/../../../evil.csv", "/abs.csv", "new\nline.csv"]
    results = house.ingest_all()
    assert [r.verdict for r in results] == ["passed"] + ["stopped"] * 4
    assert not list(tmp_path.rglob("*evil*"))


def test_a_file_being_written_waits(house: Any, server: Server) -> None:
    put(server.root / "out" / "a.csv", "编号,雨量\nA,1\n", NOW.timestamp() - 3)
    put(server.root / "out" / "b.csv.filepart", "编号,雨量\nA,1\n")
    assert house.ingest_all() == []


def test_a_missing_folder_is_said(build: Build, contracts: dict[str, str], server: Server, house: Any) -> None:
    house = build(contract(contracts, server, folder="/nowhere"))
    assert "not there" in house.ingest().message


@pytest.mark.parametrize("step", ["pull.fetched", "land.kept", "pull.landed", "pull.remembered"])
def test_killed_between_fetch_and_receipt(house: Any, server: Server, step: str) -> None:
    put(server.root / "out" / "a.csv", "编号,雨量\nA,1\n")
    with pytest.raises(Killed):
        house.ingest(checkpoint=kill_at(step))
    house.ingest_all()
    assert house.rows("sensor_id") == [("A",)]
    assert len([r for r in receipts_of(house.settings, "t__f") if not r.duplicate_of]) == 1


def test_ten_thousand_files_are_listed_as_they_come(house: Any, server: Server) -> None:
    server.extra = [f"{n:05d}.txt" for n in range(10_000)]
    put(server.root / "out" / "a.csv", "编号,雨量\nA,1\n")
    server.extra = [f".{n:05d}" for n in range(10_000)]
    pulled = pull(house.settings, house.catalog, "t__f", now=NOW)
    assert [r.original_name for r in pulled.receipts] == ["a.csv"]
