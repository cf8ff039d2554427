SET @a = 1, @b = @a + @c, @c = 2, @a = 3, @d = @d SELECT @e AS e, @bb AS f FROM 'a/b'
