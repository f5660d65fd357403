"""The one exception for input that breaks a rule."""


class InputError(ValueError):
    """Input breaks a stated rule; the message names the value, the rule and the remedy.

    The command line prints it as one line and exits with code 2.
    """
