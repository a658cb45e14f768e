"""Every way a session can end has a name in the browser."""

import re
from pathlib import Path

from relay.errors import RelayError

NOTICE = Path(__file__).resolve().parents[3] / "client" / "src" / "notice.ts"


def test_each_close_code_has_a_title_and_a_sentence() -> None:
    titles = {int(code) for code in re.findall(r"^  (\d{4}): \"", NOTICE.read_text(), re.MULTILINE)}
    endings = RelayError.__subclasses__()
    assert endings
    assert {error.code for error in endings} <= titles
    assert all(error.sentence.endswith(".") for error in endings)
