SELECT {'a': [1, {'b': 2}]} AS a, [1] AS b, (SELECT c FROM d) AS e,
       cast(f AS Decimal) AS f, cast(g AS bool) AS g, indexof(h, 'x') AS h, isUndefined(i) AS i
FROM 'a/b' WHERE EXISTS (SELECT j FROM k)
