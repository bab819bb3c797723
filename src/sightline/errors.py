"""The exception tree. Every message says where, what was found, what was wanted and what to do next."""

from __future__ import annotations


class SightlineError(Exception):
    """A mistake that the user can mend. The command line prints it without a traceback.

    `exit_code` is what the process ends with; `docs/commands.md` lists the codes.
    """

    exit_code = 1


class RecipeError(SightlineError):
    """A recipe, an override or an argument that cannot be honored."""

    exit_code = 2


class MissingLibraryError(RecipeError):
    """What is asked for needs a library that is not installed, or that cannot be imported."""


class DataError(SightlineError):
    """A data set that cannot be read or cannot be trained on."""

    exit_code = 3


class ModelFileError(SightlineError):
    """A model file that is foreign, torn, tampered with or of a newer format."""

    exit_code = 4


class TrainingError(SightlineError):
    """A training that cannot go on, such as one whose loss is not finite."""

    exit_code = 5


class ChangedError(TrainingError):
    """A training cannot go on to the same bits, as something it stands on is no longer as it was."""


class OutputError(SightlineError):
    """A place that cannot be written to: read-only, full, or occupied by something else."""

    exit_code = 6


class BusyError(OutputError):
    """Another process is working there."""


class VerificationError(SightlineError):
    """A run that is not, or no longer, what its training wrote."""

    exit_code = 7
