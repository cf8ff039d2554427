SELECT a FROM 'a/b' t WHERE c == 1
