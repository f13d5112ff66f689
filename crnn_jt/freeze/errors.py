"""What the kernels cannot do."""


class NotCovered(Exception):
    """The kernels do not know a layer; the message says which. The caller runs the plain network instead."""
