SELECT a AS my-alias, b AS x.y.1, c AS d. FROM 'a/b'
