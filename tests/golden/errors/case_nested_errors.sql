SELECT CASE a WHEN b != 1 THEN c[0] WHEN d == 2 THEN nosuch() ELSE e || f END AS g FROM 'a/b'
