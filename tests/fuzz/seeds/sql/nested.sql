SELECT (SELECT v, e.t FROM readings AS e WHERE e.n = 'temperature' AND v > 3) AS list, (SELECT VALUE a FROM *) AS all FROM 'a/b'
