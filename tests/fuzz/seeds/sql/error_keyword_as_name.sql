SELECT case, from.a AS b, select FROM 'a/b' WHERE set = 1 AND end <> 2
