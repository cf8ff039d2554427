SELECT a > 'hot' AS a, b - true AS b, -upper(c) AS fine, -isNull(c) AS c, d / 0 AS d, e % 0.0 AS e, NOT length(f) AS f,
  g AND 5 AS g, h OR 'yes' AS h, i IN 'abc' AS i, j + NULL AS j, topic().x AS k, abs(l) + [1] AS l,
  m > '5' AS fine, n - '1.5' AS fine, o AND 'TRUE' AS fine, p + 'x' AS fine, q / r AS fine, s IN t AS fine, u + [1] AS fine FROM 'a/b'
