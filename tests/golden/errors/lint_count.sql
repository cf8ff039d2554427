SELECT length() AS a, upper(b, 1) AS b, substring(c) AS c, get(d, 1, 2) AS d, round(round(1, 2)) AS e, timestamp(1) AS f, abs() AS g,
  concat() AS h, topic() AS fine FROM 'a/b'
