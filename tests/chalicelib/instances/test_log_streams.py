"""The names of log streams."""

import pytest

from chalicelib.instances.log_streams import LogStream, beginning
from chalicelib.instances.model import InstanceRef

REF = InstanceRef("0123456789ab.20261120T133144Z-3f9a", 2, "00112233aabbccdd")


def test_a_stream_is_found_by_its_app_and_by_its_version() -> None:
    stream = LogStream.of(REF, "20261120T133144Z-3f9a.2.1")
    assert (
        str(stream)
        == "0123456789ab/20261120T133144Z-3f9a/00112233aabbccdd/20261120T133144Z-3f9a.2.1"
    )
    assert LogStream.parse(str(stream)) == stream
    assert str(stream).startswith(beginning("0123456789ab"))
    assert str(stream).startswith(beginning("0123456789ab", "20261120T133144Z-3f9a"))
    assert not str(stream).startswith(beginning("0123456789ab", "20261120T133144Z-3f9"))


def test_another_name_is_not_taken_for_a_workers() -> None:
    with pytest.raises(ValueError, match="values to unpack"):
        LogStream.parse("somebody/else")
