SELECT 1 < a < 3 AS b FROM 'a/b' WHERE c = d = e
