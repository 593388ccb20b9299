from django.apps import AppConfig


class MonitoringConfig(AppConfig):
    name = "monitoring"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Whoever sends or does a task, it is noted."""
        from monitoring.tasking import heartbeat, recording  # noqa: F401, PLC0415 - connects signals
