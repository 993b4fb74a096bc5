"""The app as a server's worker runs it: with its share of the consumer."""

from multiprocessing.util import Finalize

import logbook
from api.app import create_app
from api.ending import when_told_to_end
from api.inbox import Inbox
from api.lookout import look_out
from api.overload import refuse_too_many
from api.pace import keep_pace
from api.services import EXTENSION
from settings import load_or_exit
from settings.claim import claim_or_exit
from settings.open_files import raise_limit

settings = load_or_exit()
claim_or_exit(settings)
logbook.set_up("api")
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
