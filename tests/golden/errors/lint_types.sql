SELECT topic(2) = 7 AS a, 5 <> clientid() AS b, a - b = '3' AS c, isNull(d) = 'true' AS d, cast(e AS Int) = true AS e,
  topic() = f AS fine, a + b = '3' AS fine, CASE x WHEN 1 THEN 'one' ELSE 1 END = 'one' AS fine FROM 'a/b'
