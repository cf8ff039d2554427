SELECT a FROM 'a/b' FROM 'c/d'
