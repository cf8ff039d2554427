SELECT a.max-a.min AS a, x.max-y.max AS h, c.sum-c AS i, a.my - key AS b, a-b AS c, a.b-1 AS d, 1-a.b AS e, a.b-(c) AS f, (a-b) * 2 AS g FROM 'a/b' WHERE max-min > 3
