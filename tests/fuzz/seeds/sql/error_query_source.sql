SELECT (SELECT a FROM 'x/y') AS b, (SELECT a FROM get(c, 0)) AS d, (SELECT a FROM) AS e FROM 'a/b'
