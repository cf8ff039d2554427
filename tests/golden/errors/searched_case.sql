SELECT CASE WHEN a > 1 THEN 'high' ELSE 'low' END AS level FROM 'a/b'
