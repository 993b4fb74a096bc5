"""Deprecated: use `python -m dash_ui.auth.login_link`."""

from logs.deprecation import run_renamed

if __name__ == "__main__":
    run_renamed("dash_ui.link", "dash_ui.auth.login_link")
