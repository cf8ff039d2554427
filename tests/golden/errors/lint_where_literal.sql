SELECT * FROM 'a/b' WHERE 'x'
