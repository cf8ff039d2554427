SELECT a > 3 AND a < 5 AS a, b = 'x' AND c = 'y' AS b, 5 <= c AND c <= 5 AS c, d = 1 AND d <> 2 AS d, e = true AND e <> false AS e,
  f = '5' AND f > 1 AS f, g <> 1 AND g <> 2 AS g, h > 1 AND h > 2 AS h, i = 5 OR i = 6 AS i, j > 'x' AND k = 1.0 AND k = 1 AS j FROM 'a/b'
