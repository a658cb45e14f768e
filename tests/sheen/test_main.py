"""How the command ends."""

import subprocess
import sys


def test_a_reader_that_has_read_enough_is_no_error_to_be_told() -> None:
    reader = subprocess.Popen(["true"], stdin=subprocess.PIPE)
    reader.wait()
    listing = "import sys; from unittest import mock; from sheen import __main__; from sheen.console import say\n"
    listing += "with mock.patch.object(__main__, 'act', lambda _arguments: say('x')): sys.exit(__main__.main(['apps']))"
    ended = subprocess.run([sys.executable, "-c", listing], stdout=reader.stdin, stderr=subprocess.PIPE, check=False, timeout=60)
    assert (ended.returncode, ended.stderr) == (1, b"")
