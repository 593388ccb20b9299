"""Who may come in: users, roles, one-time sign-in links."""
