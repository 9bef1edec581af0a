-- Owners' jobs are counted no more.
DROP TRIGGER temp.owned_kept;
DROP TRIGGER temp.owned_back;
DROP TRIGGER temp.owned_gone;
DROP TABLE temp.owned;
DROP TABLE temp.owned_number;
