SELECT to_string(a) AS b, uuid() AS c, strlen(d) AS e, nvl(f, 1) AS g, ifnull(h, 1) AS i, avg(j) AS k, ceiling(l) AS m FROM 'a/b'
