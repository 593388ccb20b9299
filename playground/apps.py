from django.apps import AppConfig


class PlaygroundConfig(AppConfig):
    name = "playground"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        from catalog.warming import warmed_by  # noqa: PLC0415 - models are not loaded before
        from playground.measured import warm  # noqa: PLC0415 - as above

        warmed_by(warm)
