-- Form posts as Chrome sends them: every lead with a contact of its own, from a pool of visitors.
-- Arguments: Host, path, number of addresses in the pool.

local heads, sent = {}, 0
local first = { "Anna", "Marek", "Julia", "Tom%C3%A1s", "Elif", "Noah", "Sofia", "Jan" }
local last = { "Weber", "Nowak", "Rossi", "Svoboda", "Yilmaz", "Brown", "Garcia", "Visser" }

function init(args)
  local host, path, visitors = args[1], args[2], tonumber(args[3])
  math.randomseed(11)
  for visitor = 1, visitors do
    local address = string.format("%d.%d.%d.%d", 78 + visitor % 17, math.random(0, 255), math.random(0, 255), math.random(1, 254))
    heads[visitor] = table.concat({
      "POST " .. path .. " HTTP/1.1",
      "Host: " .. host,
      "Connection: keep-alive",
      "Content-Length: %d",
      "Cache-Control: max-age=0",
      'sec-ch-ua: "Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"',
      "sec-ch-ua-mobile: ?0",
      'sec-ch-ua-platform: "Windows"',
      "Origin: http://" .. host,
      "Content-Type: application/x-www-form-urlencoded",
      "Upgrade-Insecure-Requests: 1",
      "User-Agent: Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
      "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
      "Sec-Fetch-Site: same-origin",
      "Sec-Fetch-Mode: navigate",
      "Sec-Fetch-User: ?1",
      "Sec-Fetch-Dest: document",
      "Referer: http://" .. host .. "/offer",
      "Accept-Encoding: gzip, deflate, br, zstd",
      "Accept-Language: en-GB,en-US;q=0.9,en;q=0.8",
      "X-Forwarded-For: " .. address,
      "", "",
    }, "\r\n")
  end
end

function request()
  sent = sent + 1
  local given, family = first[sent % 8 + 1], last[math.floor(sent / 8) % 8 + 1]
  local body = "full_name=" .. given .. "+" .. family .. "&email=" .. family .. "." .. string.format("%06d", sent * 7919 % 999983)
    .. "%40posteo.de&phone=%2B4915" .. string.format("%09d", sent * 104729 % 999999937)
    .. "&company=&message=We+have+a+house+from+1974+with+a+south+roof%2C+about+60+m2.+Please+call+in+the+evening."
  local head = heads[sent % #heads + 1]
  return head:gsub("%%d", #body, 1) .. body
end

function done(summary)
  local errors = summary.errors
  io.write(string.format('\n{"requests": %d, "microseconds": %d, "refused": %d, "broken": %d}\n', summary.requests,
    summary.duration, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
