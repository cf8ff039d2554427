SELECT .5 AS a, 5. AS b, 1e AS c, 1.5.2 AS d FROM 'a/b'
