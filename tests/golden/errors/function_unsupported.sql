SELECT lpad(a, 3) AS b FROM 'a/b'
