"""The one exception that the command line turns into one line and exit code 2."""


class UserError(ValueError):
    """What is wrong and what would be right, in one line."""


def positive(name: str, value: float) -> None:
    """A UserError unless the number is above zero."""
    if not value > 0:
        raise UserError(f"{name} must be above zero, not {value}")
