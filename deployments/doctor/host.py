"""This machine: room on the disk, and CJ's token file, which is for its owner alone."""

from __future__ import annotations

import shutil
import stat
from collections.abc import Iterator

from deployments.doctor.findings import Finding, fail, ok, warn
from deployments.doctor.ward import Ward

GIB = 1024**3
ROOM_WARN, ROOM_FAIL = 1 * GIB, GIB // 10


def examine(ward: Ward) -> Iterator[Finding]:
    """The disk and the file."""
    root = ward.settings.root
    free = shutil.disk_usage(root).free
    text = f"{free / GIB:.1f} GiB are free where {root.name or root} lies"
    if free < ROOM_WARN:
        (yield (fail if free < ROOM_FAIL else warn)("disk", text, f"df -h {root}, and make room"))
    else:
        yield ok("disk", text)
    path = ward.settings.token_path
    if not path.exists():
        yield ok("token file", "there is none yet: the first call to CJ logs in and makes it")
        return
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        yield fail("token file", f"{path.name} may be read by others (mode {mode:04o})", f"chmod 600 {path}")
    else:
        yield ok("token file", f"{path.name} is for its owner alone (mode {mode:04o})")
