-- Whether any key was ever held, which spares most stores the looking.
SELECT EXISTS (SELECT 1 FROM holder)
