"""Pictures in terminals that can show them: the protocols of kitty and of iTerm2, by what the terminal says it is."""

import base64
import os
from collections.abc import Mapping

KITTY_CHUNK = 4096  # bytes of base64 in one escape sequence, as its protocol bounds them
ITERM = frozenset({"iTerm.app", "WezTerm", "mintty", "vscode", "rio"})
KITTY_TERMINALS = ("kitty", "ghostty")


def encode_picture(png: bytes, environ: Mapping[str, str] = os.environ) -> str:
    """The escape sequences that show a PNG picture here; empty where none are known to work.

    Terminal multiplexers swallow both protocols, so inside one there are none.
    """
    if environ.get("TMUX") or environ.get("TERM", "").startswith(("screen", "tmux")):
        return ""
    text = base64.b64encode(png).decode("ascii")
    if environ.get("KITTY_WINDOW_ID") or any(name in environ.get("TERM", "") for name in KITTY_TERMINALS):
        return _kitty(text)
    if environ.get("TERM_PROGRAM") in ITERM:
        return f"\x1b]1337;File=inline=1;size={len(png)};preserveAspectRatio=1:{text}\x07\n"
    return ""


def _kitty(text: str) -> str:
    chunks = [text[place : place + KITTY_CHUNK] for place in range(0, len(text), KITTY_CHUNK)]
    parts = [
        f"\x1b_G{'a=T,f=100,' if number == 0 else ''}m={int(number < len(chunks) - 1)};{chunk}\x1b\\"
        for number, chunk in enumerate(chunks)
    ]
    return "".join(parts) + "\n"
