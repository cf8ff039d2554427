SELECT a FROM 'a/b' AS t WHERE c == 1
