"""Planned mails go out, each once. A mail that does not go stops nothing."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import select

from tasks.clients.resend import Mail
from tasks.cycling import ABSENCES, Several
from tasks.desk import desk
from tasks.lots.clock import now
from tasks.lots.manners import UNSETTLED, Answer, Attempt, Came, Manner, Outcome
from tasks.lots.records import Effect
from tasks.retrying import ACTING, task

BATCH = 50
#: Resend knows a key for 24 h from its first use; after that a mail of unknown fate is not sent again.
KEYS_LAST = timedelta(hours=23)


def mails_waiting() -> list[list[str]]:
    """Planned mails, in batches; those that were tried least come first, so that none waits behind a few in vain."""
    with desk().record.read() as session:
        query = (
            select(Effect.key)
            .where(Effect.kind == "mail", UNSETTLED)
            .where((Effect.acted_at.is_(None)) | (Effect.acted_at > now() - KEYS_LAST))
            .order_by(Effect.attempts, Effect.created_at)
        )
        keys = list(session.scalars(query))
    return [keys[start : start + BATCH] for start in range(0, len(keys), BATCH)]


@task(task_run_name="send mails", **ACTING)
def send_mail(keys: list[str]) -> Several:
    """Send planned mails; those that did not go are tried by the next cycle. Where Resend is away, it ends soon."""
    sent = absences = 0
    for key in keys:
        outcome = send(key)
        sent += outcome.ok
        absences = absences + 1 if outcome.came is Came.WAITING else 0
        if absences == ABSENCES:
            break
    return Several(sent, "sent")


def send(key: str) -> Outcome:
    """Send one mail. Resend keeps the effect's key, so a repeat within a day finds the first one."""
    at = desk()

    def act(attempt: Attempt) -> Answer:
        mail = Mail.model_validate(dict(attempt.request))
        return Answer(at.mail.send(mail, key=at.record.known_as(key)), {})

    # The vendor itself refuses a second mail of one key, so there is nothing to look for.
    return at.perform(key, Manner(look=lambda attempt: None, act=act, conclusive=True, since_first=True))
