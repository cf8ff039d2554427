SELECT a) AS b, c != 1 AS d FROM 'a/b'
