"""Pages of accounts: coming in, one's own account, and who may come in."""

from freellm_site.accounts.views.own import account, change_password, welcome
from freellm_site.accounts.views.sign_in import sign_in, sign_in_by_link, sign_out
from freellm_site.accounts.views.users import (
    add_user,
    change_role,
    new_link,
    set_active,
    user_detail,
    user_list,
)

__all__ = [
    "account",
    "add_user",
    "change_password",
    "change_role",
    "new_link",
    "set_active",
    "sign_in",
    "sign_in_by_link",
    "sign_out",
    "user_detail",
    "user_list",
    "welcome",
]
