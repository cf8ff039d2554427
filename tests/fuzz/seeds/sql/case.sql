SELECT CASE color WHEN 'red' THEN 1 WHEN blue THEN x.y ELSE 3 END AS n, CASE true WHEN a > 1 THEN 'high' END AS level FROM 'a/b'
