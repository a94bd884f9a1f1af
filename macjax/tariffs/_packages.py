"""Packages of the extra `tariffs`, imported when they are first needed."""

import importlib
from typing import Any

from macjax._errors import MacjaxError


def require(name: str) -> Any:
    """The module of that name, or an error that names the extra to install."""
    try:
        return importlib.import_module(name)
    except ImportError as error:
        package = name.split(".")[0]
        raise MacjaxError(
            f"robust tariffs need {package}, which is not installed: "
            "pip install 'macjax[tariffs]'"
        ) from error
