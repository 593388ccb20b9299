from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "freellm_site"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tasks find the Celery application, whoever queues them; the catalog hears of calls."""
        import freellm_site.celery  # noqa: F401, PLC0415 - heavy, and only Django's processes need it
        from catalog import measured  # noqa: PLC0415 - models are there from now on
        from monitoring.measured import last_week  # noqa: PLC0415 - as above

        measured.told_by(last_week)
