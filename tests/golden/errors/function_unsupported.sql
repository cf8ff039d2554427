SELECT parse_time('yyyy', 3) AS b FROM 'a/b'
