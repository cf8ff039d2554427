SELECT item2.0 AS a, b.2c AS d FROM 'a/b'
