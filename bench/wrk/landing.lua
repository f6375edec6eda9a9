-- Page views as Chrome sends them after a click on an ad: every one with a click id of its own, from a pool of visitors.
-- Arguments: Host, path, number of addresses in the pool.

local chrome = {
  { "Windows NT 10.0; Win64; x64", '"Windows"', "en-GB,en-US;q=0.9,en;q=0.8" },
  { "Macintosh; Intel Mac OS X 10_15_7", '"macOS"', "de-DE,de;q=0.9,en-US;q=0.8,en;q=0.7" },
  { "X11; Linux x86_64", '"Linux"', "fr-FR,fr;q=0.9,en-US;q=0.8,en;q=0.7" },
}
local heads, tails, sent = {}, {}, 0

function init(args)
  local host, path, visitors = args[1], args[2], tonumber(args[3])
  math.randomseed(7)
  for visitor = 1, visitors do
    local system = chrome[visitor % 3 + 1]
    local address = string.format("%d.%d.%d.%d", 78 + visitor % 17, math.random(0, 255), math.random(0, 255), math.random(1, 254))
    heads[visitor] = "GET " .. path .. "?utm_source=google&utm_medium=cpc&utm_campaign=roofs&gclid=CjwKCAiA5Y6-BhBREiwAqk"
    tails[visitor] = table.concat({
      " HTTP/1.1",
      "Host: " .. host,
      "Connection: keep-alive",
      'sec-ch-ua: "Chromium";v="142", "Google Chrome";v="142", "Not_A Brand";v="99"',
      "sec-ch-ua-mobile: ?0",
      "sec-ch-ua-platform: " .. system[2],
      "Upgrade-Insecure-Requests: 1",
      "User-Agent: Mozilla/5.0 (" .. system[1] .. ") AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0.0.0 Safari/537.36",
      "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,image/apng,*/*;q=0.8,application/signed-exchange;v=b3;q=0.7",
      "Sec-Fetch-Site: cross-site",
      "Sec-Fetch-Mode: navigate",
      "Sec-Fetch-User: ?1",
      "Sec-Fetch-Dest: document",
      "Referer: https://www.google.com/",
      "Accept-Encoding: gzip, deflate, br, zstd",
      "Accept-Language: " .. system[3],
      "X-Forwarded-For: " .. address,
      "", "",
    }, "\r\n")
  end
end

function request()
  sent = sent + 1
  local visitor = sent % #heads + 1
  return heads[visitor] .. string.format("%010d", sent * 7919 % 9999999967) .. tails[visitor]
end

function done(summary)
  local errors = summary.errors
  io.write(string.format('\n{"requests": %d, "microseconds": %d, "refused": %d, "broken": %d}\n', summary.requests,
    summary.duration, errors.status, errors.connect + errors.read + errors.write + errors.timeout))
end
