SELECT a – 1 AS b, “x” AS c, d × 2 AS e, f ≤ 3 AS g, h ≠ i AS j FROM ‘a/b’
