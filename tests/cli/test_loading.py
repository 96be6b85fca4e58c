import gc

import pytest

from retinula.cli.loading import loading


def failing() -> None:
    with loading():
        assert not gc.isenabled()
        raise LookupError


def test_garbage_is_looked_for_again_after_loading_also_when_it_fails() -> None:
    kept = gc.get_freeze_count()
    try:
        with pytest.raises(LookupError):
            failing()
        assert gc.isenabled()
        assert gc.get_freeze_count() > kept
    finally:
        gc.unfreeze()
