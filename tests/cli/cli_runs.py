"""The command line called in this process, with what it printed."""

from macjax import cli


def run(capsys, *arguments):
    """Exit code and output of `macjax arguments`; no traceback is ever shown."""
    code = cli.main([str(a) for a in arguments])
    shown = capsys.readouterr()
    assert "Traceback" not in shown.err
    return code, shown
