SELECT température AS t, @größe AS g FROM 'a/b'
