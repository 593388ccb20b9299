"""What people type to come in, and what admins type to let them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

from django import forms
from django.contrib.auth.password_validation import validate_password
from django.core.exceptions import ValidationError

from freellm_site.accounts.models import User
from freellm_site.lib.roles import Role

_NAME_RULE = "Letters, digits and @ . + - _"
_PASSWORD_RULE = "At least 10 characters, not a common one and not like your name."  # noqa: S105 - a hint, not a secret


class _Password(forms.CharField):
    """Taken as typed, spaces included; never sent back to the page."""

    def __init__(self, *, autocomplete: str, **kwargs: Any) -> None:
        widget = forms.PasswordInput(attrs={"autocomplete": autocomplete})
        super().__init__(strip=False, max_length=1024, widget=widget, **kwargs)


class SignInForm(forms.Form):
    username = forms.CharField(
        label="Name",
        max_length=150,
        widget=forms.TextInput(
            attrs={"autocomplete": "username", "autocapitalize": "none", "autofocus": True}
        ),
    )
    password = _Password(label="Password", autocomplete="current-password")


if TYPE_CHECKING:
    _UserForm = forms.ModelForm[User]
else:  # generic for the type checker only
    _UserForm = forms.ModelForm


class NameForm(_UserForm):
    class Meta:
        model = User
        fields: ClassVar[list[str]] = ["username"]
        labels: ClassVar[dict[str, str]] = {"username": "Name"}
        help_texts: ClassVar[dict[str, str]] = {"username": _NAME_RULE}
        widgets: ClassVar[dict[str, forms.Widget]] = {
            "username": forms.TextInput(
                attrs={"autocomplete": "username", "autocapitalize": "none"}
            ),
        }

    def clean_username(self) -> str:
        """One message beside the field, where two constraints would each give theirs."""
        name: str = self.cleaned_data["username"]
        if User.objects.filter(username__iexact=name).exclude(pk=self.instance.pk).exists():
            raise ValidationError("Someone has this name already. Choose another.")
        return name


class NewPasswordForm(forms.Form):
    """Chooses a password without the old one: for who came in by a link."""

    new_password = _Password(
        label="New password", help_text=_PASSWORD_RULE, autocomplete="new-password"
    )
    repeated = _Password(label="The same again", autocomplete="new-password")

    def __init__(self, user: User, *args: Any, **kwargs: Any) -> None:
        self.user = user
        super().__init__(*args, **kwargs)

    def clean_new_password(self) -> str:
        password: str = self.cleaned_data["new_password"]
        validate_password(password, self.user)
        return password

    def clean(self) -> dict[str, Any]:
        chosen, again = self.cleaned_data.get("new_password"), self.cleaned_data.get("repeated")
        if chosen and again and chosen != again:
            self.add_error("repeated", "The two passwords differ. Type them again.")
        return self.cleaned_data

    def save(self) -> None:
        self.user.set_password(self.cleaned_data["new_password"])
        self.user.save(update_fields=["password"])


class PasswordForm(NewPasswordForm):
    """Changes a password; asks for the one in force."""

    password = _Password(label="Password now", autocomplete="current-password")
    field_order = ("password", "new_password", "repeated")

    def clean_password(self) -> str:
        password: str = self.cleaned_data["password"]
        if not self.user.check_password(password):
            raise ValidationError("This is not your password.")
        return password


class NewUserForm(NameForm):
    role = forms.ChoiceField(choices=Role.choices, initial=Role.VIEWER)


class RoleForm(forms.Form):
    role = forms.ChoiceField(choices=Role.choices)
