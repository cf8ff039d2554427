SELECT 4you AS a FROM 'a/b'
