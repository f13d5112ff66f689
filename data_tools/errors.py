"""The one exception that stands for a user's mistake: a single line, exit code 2, never a traceback."""


class UserError(Exception):
    """A mistake that the user can mend. The message is one line: what is wrong (file or option) and what to do."""
