SELECT a, b + 1, 'x', CASE c WHEN 1 THEN 2 END, (SELECT d FROM e), [1] FROM 'a/b'
