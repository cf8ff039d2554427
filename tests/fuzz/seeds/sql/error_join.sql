SELECT a FROM 'a/b' LEFT JOIN 'c/d' ON e = f WHERE g == 1
