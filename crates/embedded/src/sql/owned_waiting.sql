-- How many jobs of an owner wait.
SELECT waiting FROM temp.owned_number WHERE owner = ?1
