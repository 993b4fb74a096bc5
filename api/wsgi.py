"""The app as a server's worker runs it: with its share of the consumer."""

from multiprocessing.util import Finalize

import logs
from api.app import create_app
from api.cache.invalidation import look_out
from api.events.update_consumer import Inbox
from api.extensions import EXTENSION
from api.load_shedding import refuse_too_many
from api.shutdown import when_told_to_end
from api.slow_clients import keep_pace
from market.storage import home
from settings import load_or_exit
from settings.home_claim import claim_or_exit
from settings.open_files import raise_limit

settings = load_or_exit()
claim_or_exit(settings, home.asked(settings.server("mongodb_uri"), settings.database))
logs.set_up("api")
app = create_app(settings)
refuse_too_many(app)
raise_limit()
keep_pace()
on = app.extensions[EXTENSION]
look_out(on.closings, on.snapshot)
inbox = Inbox(on)
inbox.start()
# The server ends when every answer has; a stream would never.
when_told_to_end(on.feed.end)
# Granian ends its workers as multiprocessing does, which knows no atexit.
Finalize(None, inbox.stop, exitpriority=1)
