# SPDX-License-Identifier: Apache-2.0
"""A PostgreSQL cluster of its own for each test, in a temporary folder, reached by a Unix socket there: no port that another process
could take between a stop and a start.

    with PgServer() as pg:
        pg.psql("CREATE TABLE t (a int)")
        pg.conninfo()                      # -> "host=/tmp/… port=5432 user=postgres dbname=postgres"
        pg.stop(); pg.start(); pg.restart()
        pg.kill()                          # no goodbye to anyone, as a power cut of the service; start() recovers
        with pg.paused(): ...              # there, but answers nobody

PostgreSQL refuses to run as root: then it runs as the user postgres.
"""
import contextlib
import os
import pathlib
import pwd
import shutil
import signal
import subprocess
import tempfile
import time

from server_fixture import Server
from sluice_fixture import PATIENCE, is_stopped, wait_until

SETTINGS = """
listen_addresses = ''
shared_buffers = 16MB
max_connections = 30
fsync = off
logging_collector = off
log_min_messages = warning
"""


def binary(name):
    """The newest version's program; Debian keeps them out of PATH."""
    found = sorted(pathlib.Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), key=lambda path: float(path.parts[4]))
    path = found[-1] if found else shutil.which(name)
    if not path:
        raise AssertionError(f"{name} is not installed: deploy/packages.txt names the packages")
    return str(path)


class PgServer(Server):
    """settings: further lines of postgresql.conf. hba: pg_hba.conf, by default everybody is trusted."""

    def __init__(self, settings="", hba="local all all trust\n"):
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="sluice-pg-"))
        self.data = self.folder / "data"
        self.process = None
        if os.geteuid() == 0:
            account = pwd.getpwnam("postgres")
            os.chown(self.folder, account.pw_uid, account.pw_gid)
        try:
            subprocess.run([binary("initdb"), "-D", self.data, "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8",
                            "--no-sync", "--no-instructions"], cwd=self.folder, check=True, capture_output=True, timeout=PATIENCE * 2,
                           **self._account())
        except BaseException:
            shutil.rmtree(self.folder, ignore_errors=True)
            raise
        with open(self.data / "postgresql.conf", "a", encoding="utf-8") as conf:
            conf.write(f"{SETTINGS}unix_socket_directories = '{self.folder}'\n{settings}\n")
        (self.data / "pg_hba.conf").write_text(hba, encoding="utf-8")

    def __exit__(self, *exc):
        if self.is_running():
            self.stop(signal.SIGQUIT)
        shutil.rmtree(self.folder, ignore_errors=True)

    def _account(self):
        """Arguments for subprocess."""
        if os.geteuid() != 0:
            return {}
        account = pwd.getpwnam("postgres")
        return {"user": account.pw_uid, "group": account.pw_gid, "extra_groups": []}

    def log(self):
        path = self.folder / "log"
        return path.read_text(errors="replace") if path.exists() else ""

    def is_running(self):
        return self.process is not None and self.process.poll() is None

    def _processes(self):
        """The server's processes: the postmaster and its children."""
        found = [self.process.pid]
        for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
            with contextlib.suppress(OSError):
                if int(path.read_text().rsplit(")", 1)[1].split()[1]) == self.process.pid:
                    found.append(int(path.parent.name))
        return found

    def _wait(self, condition, what):
        deadline = time.monotonic() + PATIENCE
        while not condition():
            if time.monotonic() > deadline:
                raise AssertionError(f"waited for {what}:\n{self.log()[-5000:]}")
            time.sleep(0.01)

    def _is_ready(self):
        """What pg_ctl looks at: the eighth line of the lock file."""
        if not self.is_running():
            raise AssertionError(f"the server ended:\n{self.log()[-5000:]}")
        with contextlib.suppress(FileNotFoundError):
            lines = (self.data / "postmaster.pid").read_text(encoding="ascii").splitlines()
            return len(lines) >= 8 and lines[0] == str(self.process.pid) and lines[7].strip() == "ready"
        return False

    def start(self):
        with open(self.folder / "log", "ab") as log:
            self.process = subprocess.Popen([binary("postgres"), "-D", self.data], cwd=self.folder, stdin=subprocess.DEVNULL,
                                            stdout=log, stderr=log, **self._account())
        self._wait(self._is_ready, "the server to be ready")

    def stop(self, how=signal.SIGINT):
        """SIGINT: "fast", SIGTERM: "smart", SIGQUIT: "immediate"."""
        self.process.send_signal(how)
        self.process.wait(PATIENCE)

    def restart(self):
        self.stop()
        self.start()

    def kill(self):
        self.process.send_signal(signal.SIGSTOP)  # it makes no more
        wait_until(lambda: is_stopped(self.process.pid), "a postmaster that does nothing")
        processes = self._processes()
        self._signal(processes, signal.SIGKILL)
        self.process.wait(PATIENCE)
        self._wait(lambda: not any(self._is_alive(pid) for pid in processes), "killed processes to end")

    @staticmethod
    def _is_alive(pid):
        try:
            return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
        except OSError:
            return False

    @staticmethod
    def _signal(processes, number):
        for pid in processes:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    @contextlib.contextmanager
    def paused(self):
        self.process.send_signal(signal.SIGSTOP)  # it makes no more
        wait_until(lambda: is_stopped(self.process.pid), "a postmaster that does nothing")
        processes = self._processes()
        self._signal(processes, signal.SIGSTOP)
        wait_until(lambda: all(map(is_stopped, processes)), "a PostgreSQL that does nothing")
        try:
            yield
        finally:
            self._signal(processes, signal.SIGCONT)

    def conninfo(self, user="postgres", dbname="postgres", more=""):
        return f"host={self.folder} port=5432 user={user} dbname={dbname} {more}".strip()

    def psql(self, sql, **connection):
        """Run SQL; the rows as lines, fields separated by "|", null as an empty field."""
        result = subprocess.run([binary("psql"), "-X", "-A", "-t", "-q", "-v", "ON_ERROR_STOP=1", "-d", self.conninfo(**connection)],
                                input=sql, capture_output=True, text=True, check=False, timeout=PATIENCE,
                                env={**os.environ, "PGCLIENTENCODING": "UTF8"})
        if result.returncode != 0:
            raise AssertionError(f"psql: {result.stderr}")
        return result.stdout
