"""The alert channel's address never stands in the Prefect server's log.

When the channel answers with an error, Prefect's block raises httpx's error, whose text holds the address, and the
server logs it with its traceback, four times. The address is the channel's secret. Prefect imports this module in
every process of an installation that has this package (entry point `prefect.collections`), the server's too.
"""

from __future__ import annotations

import logging

import httpx

#: The consumers that run automations' actions: in memory, and over Redis.
LOGGERS = ("prefect.server.utilities.messaging.memory", "prefect.prefect_redis.messaging", "prefect_redis.messaging")


def discreet(record: logging.LogRecord) -> bool:
    """Let the record through, without the address."""
    error = record.exc_info[1] if record.exc_info else None
    if isinstance(error, httpx.HTTPError | httpx.InvalidURL):
        answer = getattr(error, "response", None)
        status = f" HTTP {answer.status_code}" if answer is not None else ""
        record.msg, record.args = f"{record.getMessage()}: {type(error).__name__}{status} (address not shown)", ()
        record.exc_info = record.exc_text = None
    return True


for _name in LOGGERS:
    if discreet not in logging.getLogger(_name).filters:
        logging.getLogger(_name).addFilter(discreet)
logging.getLogger("httpx").setLevel(logging.WARNING)  # it tells every address at INFO
