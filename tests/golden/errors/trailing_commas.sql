SELECT a, [1, 2,] AS b, concat(c, ) AS d, FROM 'a/b'
