SELECT - -a AS b, +c AS d FROM 'a/b'
