-- Who waits first in other processes. Each process has a line of its own; the first of it holds a
-- ticket in the pool's state, with what it needs and since when it waits (`due`, its priority
-- counted in). Room for all who are due before is left to them. A ticket whose process died expires.

local TICKET_US = 3000000

local function ticket_of(due_us, now_us, costs)
  return field_of(due_us) .. ' ' .. field_of(now_us + TICKET_US) .. ' ' .. table.concat(costs, ' ')
end

local function read_ticket(text)
  local due, expires, costs = string.match(text, '^(%d+) (%d+) (.*)$')
  return tonumber(due), tonumber(expires), costs
end

-- What those need who are due before `due_us` in other processes, by window.
local function needed_ahead(key, state, mine, due_us, now_us, windows)
  local ahead = {}
  for i = 1, windows do ahead[i] = 0 end
  for field, text in pairs(state) do
    if string.sub(field, 1, 2) == 't:' and field ~= mine then
      local due, expires, costs = read_ticket(text)
      if expires <= now_us then
        redis.call('HDEL', key, field)
      elseif due < due_us then
        local i = 0
        for cost in string.gmatch(costs, '%d+') do
          i = i + 1
          if i <= windows then ahead[i] = ahead[i] + tonumber(cost) end
        end
      end
    end
  end
  return ahead
end

-- Of several in one process only the first in line holds the ticket; who just came may be it or not.
local function stand_in_line(key, state, mine, due_us, now_us, costs, is_new)
  if is_new and state[mine] then
    local due, expires = read_ticket(state[mine])
    if due < due_us and expires > now_us then return end
  end
  write_state(key, mine, ticket_of(due_us, now_us, costs))
end
