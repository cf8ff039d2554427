SELECT (a] AS b, [c) AS d, {'e': 1] AS f FROM 'a/b'
