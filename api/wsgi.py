"""The app as a worker of the web server runs it, with the process's background threads."""

from multiprocessing.util import Finalize

import logs
from api.app import create_app
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
services = app.extensions[EXTENSION]
services.update_watcher.start()
consumer = UpdateConsumer(services)
consumer.start()
# The server exits once every response has ended; an event stream never would.
on_shutdown(services.broadcaster.end)
# Granian ends its workers as multiprocessing does, which does not run atexit handlers.
Finalize(None, consumer.stop, exitpriority=1)
