SELECT a + 1, 'x' FROM 'a/b'
