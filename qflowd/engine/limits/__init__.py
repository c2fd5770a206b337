"""Slots, rates and breakers, shared by all daemons."""
