"""Calendars: which days have a session, from when to when, and which session an instant belongs to."""
