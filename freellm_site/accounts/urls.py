from __future__ import annotations

from django.urls import path

from freellm_site.accounts import views

app_name = "accounts"

urlpatterns = [
    path("sign-in/", views.sign_in, name="sign-in"),
    path("sign-in/<str:token>/", views.sign_in_by_link, name="sign-in-link"),
    path("sign-out/", views.sign_out, name="sign-out"),
    path("welcome/", views.welcome, name="welcome"),
    path("account/", views.account, name="account"),
    path("account/password/", views.change_password, name="change-password"),
    path("users/", views.user_list, name="user-list"),
    path("users/add/", views.add_user, name="add-user"),
    path("users/<int:pk>/", views.user_detail, name="user-detail"),
    path("users/<int:pk>/role/", views.change_role, name="change-role"),
    path("users/<int:pk>/active/", views.set_active, name="set-active"),
    path("users/<int:pk>/link/", views.new_link, name="new-link"),
]
