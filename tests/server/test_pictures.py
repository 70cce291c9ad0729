"""Pictures reach the terminals that can show them, and no other."""

import base64

from codeact.pictures import encode_picture

PNG = b"\x89PNG" + bytes(6000)


def test_each_terminal_gets_its_own_protocol() -> None:
    """kitty in chunks, iTerm2 in one piece, others nothing, and nothing inside a multiplexer."""
    kitty = encode_picture(PNG, {"TERM": "xterm-kitty"})
    chunks = [part.partition(";")[2] for part in kitty.rstrip().split("\x1b\\")[:-1]]
    assert base64.b64decode("".join(chunks)) == PNG
    assert max(map(len, chunks)) <= 4096
    assert "m=0;" in kitty.rpartition("\x1b_G")[2]
    iterm = encode_picture(PNG, {"TERM_PROGRAM": "iTerm.app"})
    assert base64.b64decode(iterm.rpartition(":")[2].rstrip("\x07\n")) == PNG
    assert encode_picture(PNG, {"TERM": "xterm-256color"}) == ""
    assert encode_picture(PNG, {"TERM": "xterm-kitty", "TMUX": "/tmp/x"}) == ""
