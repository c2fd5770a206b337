"""Calendars as rows: what people of a tenant say of single days, and who knows it by when."""
