"""Where a network computes and in which precision, by the words of a config."""

from __future__ import annotations

import torch

from marble_eval.errors import SpecError, near_misses

_PRECISIONS = {
    "float32": torch.float32,
    "bfloat16": torch.bfloat16,
    "float16": torch.float16,
}


def found_precision(precision: str, name: str) -> torch.dtype:
    """Return the type of a precision's large products.

    Parameters
    ----------
    precision : {"float32", "bfloat16", "float16"}
        As the config says.
    name : str
        Of the encoder, for the message.

    Returns
    -------
    torch.dtype
        The type.

    Raises
    ------
    SpecError
        If there is no such precision.

    Examples
    --------
    >>> found_precision("bfloat16", "hf")
    torch.bfloat16
    """
    if precision not in _PRECISIONS:
        raise SpecError(
            f"encoder {name}: 'precision' must be known. Got {precision!r}. "
            f"{near_misses(str(precision), _PRECISIONS)}"
        )
    return _PRECISIONS[precision]


def found_device(device: str, name: str) -> torch.device:
    """Return the device that a word stands for.

    Parameters
    ----------
    device : str
        "auto" (a GPU where there is one), "cpu", "cuda" or a numbered device.
    name : str
        Of the encoder, for the message.

    Returns
    -------
    torch.device
        The device.

    Raises
    ------
    SpecError
        If there is no such device, or it is not there.

    Examples
    --------
    >>> found_device("cpu", "hf")
    device(type='cpu')
    """
    if device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        found = torch.device(device)
    except RuntimeError as error:
        raise SpecError(
            f"encoder {name}: 'device' must be auto, cpu, cuda or cuda:N. Got {device!r}."
        ) from error
    if found.type == "cuda" and not torch.cuda.is_available():
        raise SpecError(f"encoder {name}: 'device' must be there. Got {device!r}. Use auto.")
    return found
