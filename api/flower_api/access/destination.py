"""Where a login leads: a path of ours, never another site's address that somebody slipped into `next`."""

from urllib.parse import unquote, urlsplit


def confined(wanted: str, *, root: str) -> str:
    """The address where it is one of ours, otherwise the start page.

    Browsers read `\\` as `/`, leave control characters out, and fold `..` before they ask.
    """
    home = f"{root}/"
    odd = "\\" in wanted or any(ord(letter) <= 0x20 or ord(letter) == 0x7F for letter in wanted)  # noqa: PLR2004 - ASCII
    if odd or not wanted.startswith(home) or wanted.startswith("//"):
        return home
    try:
        parts = urlsplit(wanted)
    except ValueError:
        return home
    segments = unquote(parts.path).split("/")
    if parts.scheme or parts.netloc or {".", ".."} & set(segments):
        return home
    doors = (
        f"{root}/login",
        f"{root}/login/provider",
        f"{root}/logout",
    )  # after a login they would lead round for ever
    return home if parts.path.rstrip("/") in doors else wanted
