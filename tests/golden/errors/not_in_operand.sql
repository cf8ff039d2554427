SELECT a = NOT b AS c, 1 + NOT d AS e FROM 'a/b'
