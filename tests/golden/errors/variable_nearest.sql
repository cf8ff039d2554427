SET @celsius = 1 SELECT @celcius AS b FROM 'a/b'
