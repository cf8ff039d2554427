SELECT a FROM 'it''s/é/b#'
