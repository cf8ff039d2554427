SELECT 5.0 AS a, 5.10 AS b, 2.0 * 3 AS c FROM 'a/b'
