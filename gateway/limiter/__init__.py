"""Quotas: counted at home before a call, corrected by what providers say."""
