"""Errors that the user can mend: shown as one message, without a traceback."""


class UserError(ValueError):
    """A setting, a file or a data set does not fit.

    The message names the setting or the file, its value and the way out.
    """
