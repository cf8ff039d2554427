SELECT a ? b AS c, # AS d, $e AS f FROM 'a/b'
