"""The exceptions that the command line turns into one line and an exit code."""


class UserError(ValueError):
    """What is wrong and what would be right, in one line."""

    code = 2


class IncompleteError(UserError):
    """The request was done in part; the rest is named in one line."""

    code = 1


def positive(name: str, value: float) -> None:
    """A UserError unless the number is above zero."""
    if not value > 0:
        raise UserError(f"{name} must be above zero, not {value}")


class Stopped(KeyboardInterrupt):
    """Ctrl-C, where it has been said already how to go on."""
