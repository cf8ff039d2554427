SELECT a[0 AS x FROM 'a/b'
