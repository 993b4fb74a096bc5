"""The app as a server's worker runs it: with its share of the consumer."""

from multiprocessing.util import Finalize

import logs
from api.app import create_app
from api.cache.invalidation import look_out
from api.events.shutdown import on_shutdown
from api.events.update_consumer import UpdateConsumer
from api.extensions import EXTENSION
from api.protection.load_shedding import shed_load
from api.protection.slow_clients import watch_slow_clients
from market.storage import home
from settings import load_or_exit
from settings.home_claim import claim_or_exit
from settings.open_files import raise_limit

settings = load_or_exit()
claim_or_exit(settings, home.asked(settings.server("mongodb_uri"), settings.database))
logs.set_up("api")
app = create_app(settings)
shed_load(app)
raise_limit()
watch_slow_clients()
on = app.extensions[EXTENSION]
look_out(on.closings, on.response_cache)
inbox = UpdateConsumer(on)
inbox.start()
# The server ends when every answer has; a stream would never.
on_shutdown(on.broadcaster.end)
# Granian ends its workers as multiprocessing does, which knows no atexit.
Finalize(None, inbox.stop, exitpriority=1)
