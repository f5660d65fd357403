"""Results that live as long as what they were made from."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Any
from weakref import WeakKeyDictionary


class KeptWith:
    """Results that live as long as the object, such as training exposures, that they were made from.

    Losses, weights and seeds are compared on the same split, so the features are binned or encoded, and the
    conversion model is trained, once for all of them.
    """

    def __init__(self) -> None:
        self._kept: WeakKeyDictionary[Any, dict[Hashable, Any]] = WeakKeyDictionary()

    def get(self, source: object, key: Hashable, make: Callable[[], Any]) -> Any:
        """Return what was made of the source under this key, made now if it was not before."""
        kept = self._kept.setdefault(source, {})
        if key not in kept:
            kept[key] = make()
        return kept[key]
