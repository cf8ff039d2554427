SELECT "it's" AS a, 'say ""hi"" it''s' AS b, '\d+' AS c FROM "a/b"
