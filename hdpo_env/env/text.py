"""A Gymnasium space of any text."""

from __future__ import annotations

from typing import Any

import gymnasium


class UnicodeText(gymnasium.Space[str]):
    """Any string of at most ``max_length`` characters, the empty one included.

    Gymnasium's own ``Text`` needs an explicit alphabet, which mathematics does not have.

    >>> "∫₀¹ x² dx" in UnicodeText(100), "too long" in UnicodeText(3)
    (True, False)
    """

    def __init__(self, max_length: int = 1 << 20, seed: int | None = None) -> None:
        super().__init__(dtype=None, seed=seed)
        self.max_length = max_length

    @property
    def is_np_flattenable(self) -> bool:
        """Text has no fixed number of elements."""
        return False

    def sample(self, mask: Any = None, probability: Any = None) -> str:
        """A short random string of letters, signs and blanks from several scripts."""
        alphabet = "abcxyz 0123456789+-*/=\\{}$\n∫√πλ界"
        length = int(self.np_random.integers(0, min(40, self.max_length) + 1))
        return "".join(alphabet[i] for i in self.np_random.integers(len(alphabet), size=length))

    def contains(self, x: Any) -> bool:
        """Whether ``x`` is a string that is not too long."""
        return isinstance(x, str) and len(x) <= self.max_length

    def __repr__(self) -> str:
        return f"UnicodeText({self.max_length})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UnicodeText) and other.max_length == self.max_length

    __hash__ = None  # pyright: ignore[reportAssignmentType]  # spaces carry a random state
