SELECT cast(a AS String) AS a, cast(b AS int) AS b, cast(c AS double) AS c, cast(d AS decimal) AS d, cast(e AS boolean) AS e FROM 'a/b'
