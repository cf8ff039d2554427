SELECT a FROM 'a/b' /* to be continued
