"""Why a file is left alone."""


class RegistrationError(Exception):
    """A file that cannot be changed safely: what is wrong with it and what to do."""
