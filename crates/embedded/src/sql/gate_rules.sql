-- All rules.
SELECT name, rule FROM gate
