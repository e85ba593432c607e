"""Notifying: mails to buyers, and messages to the operator."""

from tasks.notifying.alerts import operator_told, tell_operator
from tasks.notifying.mails import mails_waiting, send_mail

__all__ = ["mails_waiting", "operator_told", "send_mail", "tell_operator"]
