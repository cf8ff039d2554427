SELECT `my-key` AS a, b ` FROM 'a/b'
