"""Notifying: mails to buyers, and messages to the operator."""

from tasks.notifying.alerts import tell_operator
from tasks.notifying.mails import mails_waiting, send_mail

__all__ = ["mails_waiting", "send_mail", "tell_operator"]
