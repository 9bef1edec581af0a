-- The line and status of every job; counting them in the caller needs no sorter.
SELECT queue, status FROM state
