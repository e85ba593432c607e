"""W3 at length: 100,000 hostile webhooks of another seed than the test run's; none is taken, none is unforeseen."""

from __future__ import annotations

import json
import time
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import text

from deployments.webhooks import receiver
from tasks.lots.clock import now
from tasks.lots.engine import Record
from tasks.settings import Settings
from tests.deployments.hostile import OPEN_ID, SOURCES, Attack, Attacker, attack_all, genuine, signed

NUMBER = 100_000


@pytest.mark.timeout(1_200)
def test_a_hundred_thousand_hostile_webhooks(
    sqlite_record: Record, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PIPELINE_HOME", str(tmp_path))
    at = now().isoformat()
    tokens = {"access": "a", "access_until": at, "refresh": "r", "refresh_until": at, "open_id": OPEN_ID}
    (tmp_path / ".cj-token.json").write_text(json.dumps({**tokens, "logged_in_at": at}))
    known = Settings(STRIPE_WEBHOOK_SECRET="whsec_s", BASTA_WEBHOOK_SECRET="whsec_b")
    app, seen, began = receiver(known, sqlite_record), Counter[str](), time.monotonic()
    for batch in range(10):  # signatures are good for five minutes
        seconds = int(now().timestamp())
        genuine_ones = [
            Attack("genuine", source, genuine(source, "known"), signed(source, genuine(source, "known"), seconds))
            for source in SOURCES
        ]
        assert [status for _, status in attack_all(app, genuine_ones)] == [200] * 3
        for attack, status in attack_all(app, Attacker(1_000 + batch, seconds).attacks(NUMBER // 10, large=10)):
            assert status == 200 if attack.replayed else status in (400, 401, 413), attack
            seen["replayed" if attack.replayed else str(status)] += 1
    with sqlite_record.read() as session:
        assert session.execute(text("select count(*) from inbox")).scalar() == 3
    with capsys.disabled():
        print(f"\n{seen.total()} hostile webhooks in {time.monotonic() - began:.0f} s: {dict(sorted(seen.items()))}")
    assert seen.total() == NUMBER
