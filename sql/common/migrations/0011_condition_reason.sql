-- The views have a word for the reason of tasks whose `when` is false.
SELECT 1
