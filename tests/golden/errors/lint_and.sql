SELECT a > 5 AND a < 3 AS a, b = 'x' AND c = 1 AND b = 'y' AS b, 5 < c AND c <= 5 AS c, d = 1 AND d <> 1.0 AS d, e = true AND e = 'true' AS e,
  f = 'x' AND f > 1 AS f, get(*, 'g') < -1 AND g = 0 AS g, h = true AND false = h AS h FROM 'a/b'
WHERE t.u > 80 AND t.v > 90 AND t.u < 20
