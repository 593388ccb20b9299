"""Tags and filters of every page: icons, state glyphs, meters, figures, times."""

from __future__ import annotations

import math
from datetime import datetime
from functools import lru_cache
from typing import Literal, get_args

from django import forms, template
from django.forms.boundfield import BoundField
from django.templatetags.static import static
from django.utils import timezone
from django.utils.html import conditional_escape, format_html
from django.utils.safestring import SafeString

from freellm_site.lib import format as formats

register = template.Library()

Shape = Literal["full", "half", "hollow", "unknown"]
_TONES: dict[str, str] = {"full": "ok", "half": "warn", "hollow": "bad", "unknown": "idle"}
_LOW = 0.2  # below a fifth a level is amber


@register.simple_tag
def icon(name: str, size: str = "", label: str = "") -> SafeString:
    """A picture from the sprite; silent to screen readers unless it has a `label`."""
    return _svg(f"icon {size}".strip(), f"i-{name}", label)


@register.simple_tag
def glyph(shape: str, tone: str = "", label: str = "") -> SafeString:
    """A state's shape in its own tone: full, half, hollow, unknown."""
    if shape not in get_args(Shape):
        raise template.TemplateSyntaxError(f"{shape!r} is not one of {get_args(Shape)}")
    return _svg(f"glyph {tone or _TONES[shape]}", f"g-{shape}", label)


@register.simple_tag
def logo() -> SafeString:
    return format_html('<svg aria-hidden="true"><use href="{}#logo"/></svg>', _sprite())


@register.simple_tag
def meter(
    fraction: float | None,
    reserved: float = 0.0,
    *,
    plain: bool = False,
    large: bool = False,
    label: str = "",
) -> SafeString:
    """What is left, as a bar.

    `fraction` is free, `reserved` more is held by calls in flight. None is drawn hatched: not
    reported. `plain` is for shares that are no quota.
    """
    if fraction is None or not math.isfinite(fraction):
        return _bar("meter off", "", label or "not reported", large=large, full=True)
    free = min(max(fraction, 0.0), 1.0)
    held = min(max(reserved, 0.0), 1.0 - free)
    kind = "plain" if plain else _level(free)
    name = label or formats.percent(free) + ("" if plain else " left")
    held_bar = format_html('<rect class="held" x="{}%" width="{}%"/>', _width(free), _width(held))
    return _bar(
        f"meter {kind}".strip(), held_bar if held else "", name, large=large, width=_width(free)
    )


@register.inclusion_tag("_field.html")
def field(bound: BoundField, *, wide: bool = False) -> dict[str, object]:
    """A form field with its label, its hint, and its error in place."""
    return {"field": bound, "control": control(bound), "wide": wide}


@register.simple_tag
def control(bound: BoundField) -> SafeString:
    """The bare input of a field, in the site's own style."""
    return bound.as_widget(attrs={"class": _control_class(bound.field.widget)})


def _control_class(widget: forms.Widget) -> str:
    if isinstance(widget, forms.Textarea):
        return "textarea"
    if isinstance(widget, forms.CheckboxInput | forms.RadioSelect):
        return ""
    return "select" if isinstance(widget, forms.Select) else "input"


@register.filter
def quantity(value: float | None, length: str = "") -> str:
    """12345 is "12.3k"; `:"short"` shortens from a thousand on."""
    return formats.quantity(_number(value), short=length == "short")


@register.filter
def seconds(value: float | None) -> str:
    return formats.seconds(_number(value))


@register.filter
def milliseconds(value: float | None) -> str:
    """A duration that is stored in milliseconds."""
    number = _number(value)
    return formats.seconds(None if number is None else number / 1000)


@register.filter
def percent(value: float | None, digits: int = 1) -> str:
    return formats.percent(_number(value), digits)


@register.filter
def file_size(value: float | None) -> str:
    return formats.file_size(_number(value))


@register.filter
def unit(figure: str, name: str) -> str:
    """`{{ speed|quantity|unit:"tok/s" }}`; a missing figure stays an en dash."""
    return formats.with_unit(figure, name)


@register.filter
def quiet_unit(text: str) -> SafeString:
    """The unit in the quiet ink: "0.42 s" as a figure and a `<small>`."""
    figure, separator, rest = text.partition(formats.SPACE)
    if not separator:
        return conditional_escape(text)
    return format_html('{}<small class="unit">{}{}</small>', figure, separator, rest)


@register.filter
def ago(moment: datetime | None) -> SafeString | str:
    if not moment:
        return formats.MISSING
    return _time(moment, formats.ago(timezone.localtime(moment), timezone.localtime()))


@register.filter
def clock(moment: datetime | None) -> SafeString | str:
    """A clock time with its zone."""
    if not moment:
        return formats.MISSING
    return _time(moment, formats.clock(timezone.localtime(moment)))


@register.filter
def absolute(moment: datetime | None) -> SafeString | str:
    """Date, time and zone."""
    if not moment:
        return formats.MISSING
    return _time(moment, formats.absolute(timezone.localtime(moment)))


def _time(moment: datetime, text: str) -> SafeString:
    local = timezone.localtime(moment)
    return format_html(
        '<time datetime="{}" title="{}">{}</time>',
        local.isoformat(timespec="seconds"),
        formats.absolute(local),
        text,
    )


def _number(value: object) -> float | None:
    """A figure, or None for what is missing: templates pass "" for an unknown name."""
    if isinstance(value, bool) or value in (None, ""):
        return None
    return float(value)  # type: ignore[arg-type]  # Decimal, int and numeric text all convert


@lru_cache(maxsize=1)
def _sprite() -> str:
    """Asked for with every icon, and the same for as long as a process lives."""
    return static("img/icons.svg")


def _svg(classes: str, symbol: str, label: str) -> SafeString:
    use = format_html('<use href="{}#{}"/>', _sprite(), symbol)
    if label:
        return format_html(
            '<svg class="{}" role="img" aria-label="{}">{}</svg>', classes, label, use
        )
    return format_html('<svg class="{}" aria-hidden="true">{}</svg>', classes, use)


def _level(free: float) -> str:
    if free == 0:
        return "out"
    return "low" if free < _LOW else ""


def _width(fraction: float) -> str:
    return f"{fraction * 100:.1f}".removesuffix(".0")


def _bar(
    classes: str, held: str, label: str, *, large: bool, full: bool = False, width: str = "0"
) -> SafeString:
    return format_html(
        '<svg class="{}{}" role="img" aria-label="{}"><rect width="{}%"/>{}</svg>',
        classes,
        " lg" if large else "",
        label,
        "100" if full else width,
        held,
    )
