"""Environments that CodeAct prepares: what a workspace asks for, and a kit for questions about data.

Preparing is apart from runs, and the only thing that uses the network. What is prepared is kept by its content, shown
read-only to every sandbox that needs it, and made without running any code of the workspace.
"""

from codeact.environments.additions import Addition, add_package, find_addition, with_additions
from codeact.environments.build import KIT, Environment, find_prepared, kit_requirements, prepare
from codeact.environments.choose import Offer, choose_interpreter, find_offer
from codeact.environments.modules import find_missing, find_package
from codeact.environments.sources import Requirements, find_requirements

__all__ = [
    "KIT",
    "Addition",
    "Environment",
    "Offer",
    "Requirements",
    "add_package",
    "choose_interpreter",
    "find_addition",
    "find_missing",
    "find_offer",
    "find_package",
    "find_prepared",
    "find_requirements",
    "kit_requirements",
    "prepare",
    "with_additions",
]
