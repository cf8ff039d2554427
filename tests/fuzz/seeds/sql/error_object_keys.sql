SELECT {a: 1, 'b' 2, 3: 4, 'c': } AS d FROM 'a/b'
