"""Everything that can go wrong with the machinery, as one tree.

Code that fails *inside* the sandbox is no error but an Observation. An error means that a part of CodeAct, or
something it needs, did not work. Its text says what happened, to what, and what to do::

    CodeActError
    ├── SettingsError             a setting, an option or an argument is wrong
    ├── WorkspaceError            the folder cannot be worked on
    │   └── SnapshotError         ... or not be frozen: too large, changing all the time, unreadable
    ├── SandboxError              the machinery around the sandbox failed
    │   ├── SandboxUnavailable    no backend answers, or the one asked for does not
    │   └── SandboxDied           a sandbox ended that should have lived
    ├── MachineExhausted          the disk is full, or something else that every part needs is used up
    ├── PrepareError              an environment cannot be prepared: a pin, a wheel, the index, the disk
    ├── ModelError                a model gave no usable answer
    │   ├── ModelUnavailable      endpoint dead, model not pulled, package missing
    │   ├── ModelRefused          wrong key, unknown model, no quota: trying again does not help
    │   └── ContextTooLong        the conversation does not fit the model
    ├── RunNotFound               no run has that id
    ├── WireError                 JSON from elsewhere does not hold what it should
    ├── JournalError              a journal is damaged or was changed afterwards
    └── ApplyError                a proposal cannot be applied to the workspace as it is now
"""


class CodeActError(Exception):
    """Root of all errors that CodeAct raises on purpose."""


class SettingsError(CodeActError):
    """A setting, an option or an argument is wrong."""


class WorkspaceError(CodeActError):
    """The folder cannot be worked on."""


class SnapshotError(WorkspaceError):
    """The workspace cannot be frozen."""


class SandboxError(CodeActError):
    """The machinery around the sandbox failed."""


class SandboxUnavailable(SandboxError):
    """No sandbox backend answers, or the one asked for does not."""


class SandboxDied(SandboxError):
    """A sandbox ended that should have lived."""


class MachineExhausted(CodeActError):
    """The disk is full, or something else that every part needs is used up."""


class PrepareError(CodeActError):
    """An environment cannot be prepared."""


class ModelError(CodeActError):
    """A model gave no usable answer."""


class ModelUnavailable(ModelError):
    """The endpoint is dead, the model is not pulled, or a package is missing."""


class ModelRefused(ModelError):
    """The endpoint refuses for good: wrong key, unknown model, no quota."""


class ContextTooLong(ModelError):
    """The conversation does not fit the model's context."""


class RunNotFound(CodeActError):
    """No run has that id."""


class WireError(CodeActError):
    """JSON from elsewhere does not hold what it should."""


class JournalError(CodeActError):
    """A journal is damaged or was changed afterwards."""


class ApplyError(CodeActError):
    """A proposal cannot be applied to the workspace as it is now."""
