SELECT a AS 'x', b AS 7, c AS @d FROM 'a/b'
