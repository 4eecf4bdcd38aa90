"""What can go wrong between actors, as exceptions."""


class ActorError(Exception):
    """Base of every error this package raises on its own account."""


class ActorStopped(ActorError):  # noqa: N818 - the name says what happened, as the guide does
    """The actor stopped, or was restarted, before it answered. Ask its successor, or give up."""


class AskTimeout(ActorError, TimeoutError):  # noqa: N818 - it is a TimeoutError
    """No answer within the deadline. The request may still be handled: repeat only what may be."""


class MailboxFull(ActorError):  # noqa: N818 - it names a state the caller can react to
    """The mailbox is at its limit: slow down, shed the message, or wait with ``send``."""


class NameTaken(ActorError, ValueError):  # noqa: N818 - it names a state the caller can react to
    """A living sibling has that name: wait until it has stopped, or choose another."""


class SystemFailed(ActorError):  # noqa: N818 - it names what happened
    """A failure reached the root of the system, which stopped everything. ``__cause__`` has it."""
