SELECT clientident() AS client, topik(2) AS t, frobnicate(a) AS f FROM 'a/b'
