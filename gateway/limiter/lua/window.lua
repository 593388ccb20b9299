-- Shared by the scripts of this folder, put before each of them. The reference, with the reasons,
-- is limiter/window.py. A window is a hash: slot number -> what was used in it.
-- Its span is told as text: "s<slot in us>/<slots>" slides, then "w" if it warms up, then what an
-- unknown limit begins with; "c<us> <us> ..." lists the beginnings of a provider's days or months.
-- At its end: "!" if the limit stays whatever the provider says, "@" and the share of it to be used.

local MARGIN_US = 5000000

local function span_of(text)
  local is_deaf, share = string.find(text, '!', 1, true) ~= nil, tonumber(string.match(text, '@(.+)$')) or 1
  local slot_us, slots, warms, start = string.match(text, '^s(%d+)/(%d+)(w?)(%d*)')
  if slot_us then
    slot_us, slots = tonumber(slot_us), tonumber(slots)
    return {
      slot_us = slot_us, slots = slots, length_us = slot_us * slots,
      warms = warms ~= '', start = tonumber(start), is_deaf = is_deaf, share = share,
    }
  end
  local edges = {}
  for edge in string.gmatch(string.match(text, '^c([%d ]+)'), '%d+') do edges[#edges + 1] = tonumber(edge) end
  return {edges = edges, length_us = edges[3] - edges[2], is_deaf = is_deaf, share = share}
end

local function edge_before(edges, at_us)
  local found = 1
  for i = 2, #edges do
    if edges[i] <= at_us then found = i end
  end
  return edges[found]
end

local function slot_of(span, at_us)
  if span.edges then return edge_before(span.edges, at_us + MARGIN_US) / 1000000 end
  return math.floor(at_us / span.slot_us)
end

local function oldest_of(span, now_us)
  if span.edges then return edge_before(span.edges, now_us - MARGIN_US) / 1000000 end
  return slot_of(span, now_us) - span.slots
end

local function frees_at_us(span, slot)
  if not span.edges then return (slot + span.slots + 1) * span.slot_us end
  for _, edge in ipairs(span.edges) do
    if edge > slot * 1000000 then return edge + MARGIN_US end
  end
  return span.edges[#span.edges] + MARGIN_US
end

local function field_of(number) return string.format('%d', number) end

-- The slots that count now, oldest first, and their sum; those that count no more.
local function read_window(key, now_us, span)
  local oldest = oldest_of(span, now_us)
  local flat, live, gone, sum = redis.call('HGETALL', key), {}, {}, 0
  for i = 1, #flat, 2 do
    local slot, count = tonumber(flat[i]), tonumber(flat[i + 1])
    if slot >= oldest then
      live[#live + 1] = {slot, count}
      sum = sum + count
    else
      gone[#gone + 1] = flat[i]
    end
  end
  table.sort(live, function(a, b) return a[1] < b[1] end)
  return live, sum, gone
end

-- Microseconds until `cost` fits into `amount`, which is at least as much.
local function window_wait_us(live, sum, now_us, amount, cost, span)
  local excess, wait = sum + cost - amount, 0
  for _, entry in ipairs(live) do
    if excess <= 0 then break end
    excess = excess - entry[2]
    wait = frees_at_us(span, entry[1]) - now_us
  end
  return math.max(0, wait)
end

-- Twice the window, so that late settlements still find their slot.
local function keep(key, span)
  redis.call('PEXPIRE', key, math.ceil(2 * span.length_us / 1000) + 1000)
end
