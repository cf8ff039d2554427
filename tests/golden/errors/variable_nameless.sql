SET @ = 1 SELECT @ AS a FROM 'a/b'
