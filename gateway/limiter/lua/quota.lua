-- A quota in a script's KEYS: its state at `first`, its windows after it, to the end.
-- ARGV holds from `args` on: 1 process, 2 us since when the caller waits (0: it just came), 3 us its
-- priority puts it back, 4 us it would wait, 5 share of the rate to begin with, 6 us until all of it,
-- 7 requests that are let through even so, 8 us since when the next one in its line waits (0: nobody),
-- then for each window: amount, cost, what those before it in its own line need, cost of the next one,
-- span.

local QUOTA_HEAD, QUOTA_WINDOW = 8, 5

local function quota_read(first, args, now_us)
  local state = read_state(KEYS[first])
  local due_us = tonumber(ARGV[args + 1])
  if due_us == 0 then due_us = now_us + tonumber(ARGV[args + 2]) end
  local quota = {
    key = KEYS[first], state = state, ticket = 't:' .. ARGV[args], due_us = due_us,
    is_new = ARGV[args + 1] == '0', would_wait_us = tonumber(ARGV[args + 3]),
    next_us = tonumber(ARGV[args + 7]), windows = {}, costs = {}, next_costs = {},
    warm = {
      share = tonumber(ARGV[args + 4]), us = tonumber(ARGV[args + 5]), least = tonumber(ARGV[args + 6]),
    },
  }
  local ahead = needed_ahead(quota.key, state, quota.ticket, due_us, now_us, #KEYS - first)
  for i = first + 1, #KEYS do
    local at, n = args + QUOTA_HEAD + (i - first - 1) * QUOTA_WINDOW, i - first
    local span = span_of(ARGV[at + 4])
    quota.costs[n], quota.next_costs[n] = ARGV[at + 1], ARGV[at + 3]
    quota.windows[n] = {
      key = KEYS[i], span = span, cost = tonumber(ARGV[at + 1]),
      ahead = ahead[n] + tonumber(ARGV[at + 2]),
      limit = limit_of(state, name_of(KEYS[i]), tonumber(ARGV[at]), now_us, span),
    }
  end
  return quota
end

-- Microseconds until all windows have room (0 now, -1 never), number of the limit in the way, and
-- how much of it holds. Who is to wait for it is put into the line.
local function quota_wait_us(quota, now_us)
  local worst, binding, amount = blocked_us(quota.state, now_us), 0, 0
  for n, window in ipairs(quota.windows) do
    local live, sum, gone = read_window(window.key, now_us, window.span)
    if #gone > 0 then redis.call('HDEL', window.key, unpack(gone)) end
    local wait = limit_wait_us(
      quota.state, window.limit, live, sum, now_us, window.ahead, window.cost, window.span, quota.warm
    )
    if wait == -1 then return -1, n, window.limit.top end
    if wait > worst then worst, binding, amount = wait, n, window.limit.full end
  end
  if worst > 0 and worst <= quota.would_wait_us then
    stand_in_line(quota.key, quota.state, quota.ticket, quota.due_us, now_us, quota.costs, quota.is_new)
  end
  return worst, binding, amount
end

local function quota_take(quota, now_us, is_probe)
  for _, window in ipairs(quota.windows) do
    redis.call('HINCRBY', window.key, field_of(slot_of(window.span, now_us)), window.cost)
    keep(window.key, window.span)
  end
  if quota.next_us > 0 then
    write_state(quota.key, quota.ticket, ticket_of(quota.next_us, now_us, quota.next_costs))
  elseif not quota.is_new and quota.state[quota.ticket] then
    redis.call('HDEL', quota.key, quota.ticket)
  end
  -- The first call ever, and the first one after an outage.
  if is_probe or not quota.state.warm then write_state(quota.key, 'warm', field_of(now_us)) end
end
