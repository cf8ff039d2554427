SELECT (a + 1 FROM 'a/b' WHERE concat(b, 'c'
