"""Our clock against the vendors', by the dates of their answers. Signatures hold for five minutes either way."""

from __future__ import annotations

from collections.abc import Mapping

from deployments.doctor.findings import Finding, fail, ok, warn

WARN_SECONDS, FAIL_SECONDS = 10.0, 120.0


def judge(skews: Mapping[str, float]) -> Finding:
    """By the median: one vendor's wrong clock is not ours."""
    if not skews:
        return warn("clock", "nobody told the time", "pipeline doctor, again in a minute")
    told = sorted(skews.values(), key=abs)
    median = told[len(told) // 2]
    names = ", ".join(sorted(skews))
    text = f"{abs(median):.0f} s {'ahead of' if median > 0 else 'behind'} {names}"
    if abs(median) >= FAIL_SECONDS:
        return fail("clock", text, "set this machine's clock by NTP: timedatectl set-ntp true")
    if abs(median) >= WARN_SECONDS:
        return warn("clock", text, "set this machine's clock by NTP: timedatectl set-ntp true")
    return ok("clock", f"within {WARN_SECONDS:.0f} s of {names}")
