-- Close a breaker, forget what it counted and what was forced.
-- KEYS: 1 the breaker, 2 its provider's story.
-- ARGV: 1 why, 2 by whom.

redis.call('DEL', KEYS[1])
tell(KEYS[2], KEYS[1], 'reset', 0, 0, ARGV[1], ARGV[2])
return 0
