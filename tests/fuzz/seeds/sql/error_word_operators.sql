SELECT a LIKE 'x%' AS q, b RLIKE 'y' AS r, c MOD 2 AS s, d DIV 2 AS t, e XOR f AS u, g CONTAINS 'z' AS v FROM 'a/b'
