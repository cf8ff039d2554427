SELECT concat(a b, c) AS d FROM 'a/b'
