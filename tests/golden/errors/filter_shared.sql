SELECT * FROM '$share/group/a/#'
