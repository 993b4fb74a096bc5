"""The settings: typed, from the environment and `.env`, with all errors reported at once."""

from quota.planner import Budget, CoinSelection, calls_per_update, rate
from settings.coin_selection import parse_coins
from settings.loader import RUNNING_FILE, SettingsError, home, load, load_or_exit, version
from settings.model import NAMES, PRO_URL, PUBLIC_URL, ROOT, SECRETS, Settings, is_loopback

__all__ = [
    "NAMES",
    "PRO_URL",
    "PUBLIC_URL",
    "ROOT",
    "RUNNING_FILE",
    "SECRETS",
    "Budget",
    "CoinSelection",
    "Settings",
    "SettingsError",
    "calls_per_update",
    "home",
    "is_loopback",
    "load",
    "load_or_exit",
    "parse_coins",
    "rate",
    "version",
]
