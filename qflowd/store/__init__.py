"""The only floor that speaks SQL: a catalog of named statements, three dialects, one door for transactions."""
