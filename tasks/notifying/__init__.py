"""Notifying: mails to buyers, and messages to the operator."""

from tasks.notifying.alerts import messages_due, operator_told, tell
from tasks.notifying.failing import tell_of_failure
from tasks.notifying.mails import mails_waiting, send_mail

__all__ = ["mails_waiting", "messages_due", "operator_told", "send_mail", "tell", "tell_of_failure"]
