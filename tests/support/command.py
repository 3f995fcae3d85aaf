"""The command line, called in this process."""

from experiments.cli.app import main


def run(capsys, words):
    """Its exit code, and what it wrote to its two streams."""
    code = main(words.split())
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def assert_one_line(capsys, words, says):
    """A mistake gets exit code 2 and one clear line."""
    code, _, err = run(capsys, words)
    assert code == 2
    assert says in err and err.startswith("popjax: ") and err.count("\n") == 1


def assert_harmless(capsys, monkeypatch, tmp_path, words, says):
    """A mistake gets its line, and nothing is written to the present folder."""
    monkeypatch.chdir(tmp_path)
    assert_one_line(capsys, words, says)
    assert not list(tmp_path.iterdir())
