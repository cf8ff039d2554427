SELECT a + b - 1 AS s, a * b / c % 2 AS p, NOT a = 1 OR b <> 2 AND c < 3 AS l, -a AS n, d <= e AS le, f >= g AS ge, h > i AS gt, j IN k AS i FROM 'a/b'
