SELECT a AS, b AS c FROM 'a/b'
