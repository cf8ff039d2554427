SELECT * FROM 'a//#'
