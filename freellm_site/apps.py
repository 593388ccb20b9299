from django.apps import AppConfig


class SiteConfig(AppConfig):
    name = "freellm_site"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Tasks find the Celery application, whoever queues them."""
        import freellm_site.celery  # noqa: F401, PLC0415 - heavy, and only Django's processes need it
