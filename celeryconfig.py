"""Celery's settings, with the beat schedule. No logic; the reasons are in docs/reliability.md."""

from datetime import UTC, datetime

from market.schedule.slots import Schedule
from settings import load_or_exit
from tasks.beat_scheduler import SlotSchedule

settings = load_or_exit()

broker_url = settings.server("redis_url")
result_backend = broker_url
result_expires = 3600
task_ignore_result = True
redis_socket_timeout = 3
redis_socket_connect_timeout = 3
redis_backend_health_check_interval = 10
redis_retry_on_timeout = False
redis_socket_keepalive = True

broker_transport_options = {
    "socket_timeout": 3,
    "socket_connect_timeout": 3,
    "socket_keepalive": True,
    "health_check_interval": 10,
    "visibility_timeout": 180,  # longer than any task
    # A sender has 3 s, and kombu's second try would come after 2 s, its third after 6.
    "interval_start": 0.5,
    "interval_step": 0,
}
broker_connection_timeout = 3
broker_connection_max_retries = None
broker_connection_retry_on_startup = True

accept_content = ["json"]
task_serializer = "json"
result_serializer = "json"
timezone = "UTC"
enable_utc = True

task_default_queue = "updates"
task_routes = {
    "tasks.ingest.*": {"queue": "updates"},
    "tasks.notify.*": {"queue": "maintenance"},
    "tasks.repair.*": {"queue": "maintenance"},
    "tasks.rollup.*": {"queue": "maintenance"},
    "tasks.schedule.*": {"queue": "maintenance"},
}
task_acks_late = True
task_reject_on_worker_lost = True
task_soft_time_limit = 90
task_time_limit = 120
task_send_sent_event = True

worker_prefetch_multiplier = 1
worker_send_task_events = True
worker_cancel_long_running_tasks_on_connection_loss = True
worker_soft_shutdown_timeout = 30
worker_hijack_root_logger = False

beat_scheduler = "tasks.beat_scheduler:SlotScheduler"
beat_max_loop_interval = 1
# Beat takes what it never sent for due at its start, whatever became of the last beat: one that is
# restarted often would otherwise never come to what is due once a minute.
never = datetime(1970, 1, 1, tzinfo=UTC)
beat_schedule = {
    "publish-update": {
        "task": "tasks.schedule.publish_update",
        "schedule": SlotSchedule(Schedule(settings.cron_schedule)),
        "kwargs": {"scheduled": True},
        "last_run_at": never,
        "options": {"expires": 60},
    },
    "ensure-slot": {
        "task": "tasks.schedule.ensure_slot",
        "schedule": 60.0,
        "last_run_at": never,
        "options": {"expires": 60},
    },
    "sweep": {
        "task": "tasks.schedule.sweep",
        "schedule": 5.0,
        "last_run_at": never,
        "options": {"expires": 5},
    },
    "notify": {
        "task": "tasks.notify.tell",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
    "plan-repairs": {
        "task": "tasks.repair.plan",
        "schedule": 10.0,
        "options": {"expires": 10},
    },
    "mend": {
        "task": "tasks.repair.mend",
        "schedule": 5.0,
        "options": {"expires": 5},
    },
    "roll-up": {
        "task": "tasks.rollup.roll_up",
        "schedule": 300.0,
        "last_run_at": never,
        "options": {"expires": 300},
    },
}
