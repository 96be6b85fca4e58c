"""How long something takes, measured so briefly that nobody waits for it; knows nothing of what is measured."""

import time
from collections.abc import Callable, Sequence

GAIN = 1.05  # a choice other than the preferred has to be faster by this factor
_TURNS = 3
ENOUGH = 0.25  # seconds; no further turn once all actions together have taken so long

Clock = Callable[[], float]


def best_seconds(
    actions: Sequence[Callable[[], object]], clock: Clock = time.perf_counter, enough: float = ENOUGH
) -> list[float]:
    """Return the seconds of each action, the best of one to three, taken in turns.

    In turns, so that another program that comes and goes meets all of them. The first time is left out: it chooses
    kernels and claims memory.

    Args:
        actions: what is measured.
        clock: seconds.
        enough: so many seconds of all actions together make a further turn needless.
    """
    for action in actions:
        action()
    best = [float("inf")] * len(actions)
    measured = 0.0
    for _ in range(_TURNS):
        for number, action in enumerate(actions):
            start = clock()
            action()
            seconds = clock() - start
            best[number] = min(best[number], seconds)
            measured += seconds
        if measured >= enough:
            break
    return best
