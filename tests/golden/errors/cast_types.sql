SELECT cast(a AS integr) AS b, cast(c AS date) AS d, cast(e AS varchar(10)) AS f FROM 'a/b'
