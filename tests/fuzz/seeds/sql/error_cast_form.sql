SELECT cast(a, int) AS b, cast(c) AS d, cast(e AS) AS f FROM 'a/b'
