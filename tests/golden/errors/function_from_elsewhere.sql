SELECT count(*) AS n, coalesce(a, b) AS c, now() AS t, len(s) AS l, pow(a, 2) AS p, iff(a, 1, 2) AS i,
       substr(s, 1) AS u, json_extract(a, 'b') AS j, to_number(s) AS m
FROM 'a/b'
