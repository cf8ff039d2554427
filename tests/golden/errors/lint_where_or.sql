SELECT * FROM 'a/b' WHERE a OR length(b)
