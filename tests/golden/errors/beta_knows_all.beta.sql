SELECT [1] AS a, isUndefined(b) AS c, nosuch() AS d FROM 'a/b'
