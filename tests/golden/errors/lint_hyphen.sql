SELECT a.my-key AS a, a.b.my-long-key + 1 AS b, (SELECT v.x-y AS c FROM e AS v) AS c, device-id FROM 'a/b'
WHERE serial-no = 'x' AND unit-type <> 'y'
