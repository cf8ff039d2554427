SELECT a != 1 AS x, b == 2 AS y, c || d AS z
FROM 'a/b' WHERE e && f AND !g AND h => 1 AND i =< 2
