SELECT a != 1, b[0], FROM topic/+ WHERE c IS NULL AND d LIKE 'x' GROUP BY e;
