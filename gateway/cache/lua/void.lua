-- Make void what is kept under some marks (a kind, a tag, a key), in every process.
-- KEYS: 1 the marks: a hash of each mark's last number, and `newest`, the largest of all.
-- ARGV: 1 most marks to remember, 2 time to live in s, then the marks.
-- Reply: the number given. It is the server's time in us, and always grows.

local now = redis.call('TIME')
local newest = tonumber(redis.call('HGET', KEYS[1], 'newest') or '0')
local number = math.max(newest + 1, tonumber(now[1]) * 1000000 + tonumber(now[2]))
local said = string.format('%.0f', number)
for i = 3, #ARGV do redis.call('HSET', KEYS[1], ARGV[i], said) end
if redis.call('HLEN', KEYS[1]) > tonumber(ARGV[1]) then
  redis.call('DEL', KEYS[1])
  redis.call('HSET', KEYS[1], 'all', said)  -- too many to remember each: everything is void
end
redis.call('HSET', KEYS[1], 'newest', said)
redis.call('EXPIRE', KEYS[1], ARGV[2])
return said
