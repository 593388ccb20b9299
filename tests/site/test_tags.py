"""Icons, glyphs, meters and fields as markup."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from django import forms
from django.template import Context, Template, TemplateSyntaxError


def render(source: str, **context: object) -> str:
    return Template("{% load freellm %}" + source).render(Context(context))


def test_an_icon_is_silent_unless_it_has_a_name() -> None:
    """Beside its word a picture says nothing; alone it says its label."""
    assert 'class="icon sm" aria-hidden="true"' in render('{% icon "ok" "sm" %}')
    assert 'role="img" aria-label="Works"' in render('{% icon "ok" label="Works" %}')


def test_a_glyph_brings_its_tone() -> None:
    """The shape decides the colour, unless the page says otherwise."""
    assert 'class="glyph bad"' in render('{% glyph "hollow" %}')
    assert 'class="glyph idle"' in render('{% glyph "hollow" "idle" %}')


def test_an_unknown_glyph_is_a_mistake_in_the_page() -> None:
    """A typo must not end as an empty picture."""
    with pytest.raises(TemplateSyntaxError, match="is not one of"):
        render('{% glyph "ful" %}')


@pytest.mark.parametrize(
    ("fraction", "kind", "label"),
    [
        (0.81, "meter", "81 % left"),
        (0.08, "meter low", "8 % left"),
        (0, "meter out", "0 % left"),
        (None, "meter off", "not reported"),
        (1.7, "meter", "100 % left"),
    ],
)
def test_meters_say_what_is_left(fraction: float | None, kind: str, label: str) -> None:
    """Plenty, low, out and not reported differ in shape and in words."""
    html = render("{% meter fraction %}", fraction=fraction).replace("\u00a0", " ")
    assert f'class="{kind}"' in html
    assert f'aria-label="{label}"' in html


def test_reserved_calls_follow_what_is_free() -> None:
    """What calls in flight hold is a paler bar behind the free one, never beyond the end."""
    assert '<rect class="held" x="90%" width="10%"/>' in render("{% meter 0.9 0.4 %}")


def test_labels_are_escaped() -> None:
    """A provider's name is data, not markup."""
    assert "<b>" not in render("{% meter 0.5 label=name %}", name="<b>x</b>")
    assert "<b>" not in render("{{ name|quiet_unit }}", name="<b>x</b>")


def test_an_age_carries_the_absolute_time() -> None:
    """Pointing at "2 min ago" tells when that was."""
    html = render("{{ moment|ago }}", moment=datetime(2020, 1, 2, 3, 4, tzinfo=UTC))
    assert 'datetime="2020-01-02T03:04:00+00:00"' in html
    assert 'title="2020-01-02 03:04 UTC"' in html


@pytest.mark.parametrize("name", ["ago", "clock", "absolute", "quantity", "milliseconds"])
def test_what_is_missing_is_an_en_dash(name: str) -> None:
    """A name the page does not know is missing, too."""
    assert render("{{ nothing|" + name + " }}") == "\u2013"


def test_a_unit_is_quiet() -> None:
    """The figure stands out, its unit does not."""
    html = render("{{ value|milliseconds|quiet_unit }}", value=420)
    assert html == '0.42<small class="unit">\u00a0s</small>'


class OneField(forms.Form):
    burst = forms.IntegerField(max_value=27, help_text="Calls at once.")


def test_a_field_names_its_error_and_its_hint() -> None:
    """Screen readers hear both with the field."""
    html = render("{% field form.burst %}", form=OneField({"burst": 90}))
    assert 'aria-invalid="true"' in html
    assert 'aria-describedby="id_burst_helptext id_burst_error"' in html
    assert 'id="id_burst_error"' in html
    assert 'id="id_burst_helptext"' in html
