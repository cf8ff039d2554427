SELECT a FROM 'a/b'.state.reported WHERE c == 1
