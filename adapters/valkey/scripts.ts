/**
 * What happens in the tier in one step: Lua scripts for Redis from 7.0 on and Valkey. All keys of a space have one hash tag, so that a
 * cluster keeps them in one slot.
 *
 * A space has a count, moved by every write, and a log: a stream whose entries have the count for an id, so that what is missing between
 * two of them is seen. An entry carries a nonce: two histories that a failover made have other nonces under one count.
 *
 * (V1) the count of a new space is the time in microseconds: one made anew, after a flush or an eviction, is above the old one.
 * (V2) a value carries the count from when its load began. It is no value where that is below the space's barrier, which a full
 *      invalidation sets to the count.
 * (V3) a lease is a token with the count of when it was given. What invalidates a key takes its lease away: a fill is taken only under the
 *      lease that is there.
 * (V4) who asks says what his host has seen last of the log. Where that is not in this history (the primary is an older copy, or has
 *      gone on from one) it answers nothing else.
 * (V5) tags: their invalidations stand in a fixed number of cells, fields of the space's meta, of which a tag's name leads to four: each has the
 *      count of the last invalidation that met it. A value has the cells of its tags, and is none once all four of a tag have a count after its
 *      own. So a tag that was never invalidated takes nothing, others may end a value too early and never too late, and whoever loses
 *      the cells loses the count with them, which bars all values (V1).
 */
import { createHash } from 'node:crypto';

export interface Script {
  readonly text: string;
  readonly sha: string;
}

/**
 * KEYS of all scripts: meta, log, the prefix of chunks, then value and lease of each key. Counts travel as decimal strings: a Lua number given as an
 * integer would do, but a client may have other ideas of 64 bits.
 */
const PRELUDE = `
local META, LOG, CHUNK, VALUE, LEASE = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5]
local function text(count) return string.format('%.0f', count) end
local function tell(count, nonce, kind, key, origin, length)
  redis.call('XADD', LOG, 'MAXLEN', '~', length, text(count) .. '-0', 'n', nonce, 'k', kind, 'v', key, 'o', origin)
end
local function head()
  local known = redis.call('HMGET', META, 's', 'b')
  if known[1] then return tonumber(known[1]), tonumber(known[2]) end
  local time = redis.call('TIME')
  local count = time[1] * 1000000 + time[2]
  local last = redis.call('XREVRANGE', LOG, '+', '-', 'COUNT', 1)
  if last[1] then count = math.max(count, tonumber(string.match(last[1][1], '^%d+')) + 1) end
  redis.call('HSET', META, 's', text(count), 'b', text(count))
  tell(count, 'new', 'all', '', '', 100)
  return count, count
end
-- 0: seen is of this history. 1: the log does not go back so far. 2: it is not.
local function history(count, seen, nonce)
  if seen == '' then return 0 end
  if count < tonumber(seen) then return 2 end
  local entry = redis.call('XRANGE', LOG, seen .. '-0', seen .. '-0')
  if not entry[1] then return 1 end
  if entry[1][2][2] ~= nonce then return 2 end
  return 0
end
-- Whether one of the tags was invalidated after the count: all cells of it are later. Four cells a tag, one tag after the other.
local function isEnded(cells, made)
  if not cells or cells == '' then return false end
  local names = {}
  for cell in string.gmatch(cells, '%d+') do names[#names + 1] = 't' .. cell end
  local known = redis.call('HMGET', META, unpack(names))
  for first = 1, #names, 4 do
    local ended = true
    for at = first, first + 3 do
      if not known[at] or tonumber(known[at]) <= made then ended = false end
    end
    if ended then return true end
  end
  return false
end
local function drop(value)
  local known = redis.call('HMGET', value, 'c', 'i')
  if known[1] then
    for at = 0, tonumber(known[1]) - 1 do redis.call('UNLINK', CHUNK .. known[2] .. ':' .. at) end
  end
  redis.call('UNLINK', value)
end
`;

/** What reads and tells works without memory left: it takes little, for a short time, or makes room. */
const WITHOUT_MEMORY = '#!lua flags=allow-oom\n';

function script(text: string, head = '#!lua\n'): Script {
  const whole = head + PRELUDE + text;
  return { text: whole, sha: createHash('sha1').update(whole).digest('hex') };
}

/**
 * Of any number of keys. ARGV: token, lease ms, seen, nonce, floor, stale ms, and how many bytes of values to answer with at most, but
 * for one. Answers 'other', or 'answers' and for each key
 * 'value' or 'stale', then count, fresh ms ('' for ever; since when stale, below 0), kept ms, metadata, negative, chunks, chunk id, size, bytes, tags;
 * 'lease', lease; 'wait', ms.
 */
export const ASK = script(
  `
local count, barrier = head()
local past = history(count, ARGV[3], ARGV[4])
if past == 2 then return {'other', text(count)} end
local least = barrier
if ARGV[5] ~= '' then least = math.max(least, tonumber(ARGV[5])) end
if past == 1 then least = math.max(least, tonumber(ARGV[3])) end
local given = 0
local function valueOf(value)
  local v = redis.call('HMGET', value, 's', 'k', 'm', 'n', 'c', 'i', 'z', 'b', 'g', 'q')
  if not v[1] then return nil end
  local made = tonumber(v[1])
  if made < barrier or isEnded(v[10], made) then
    drop(value)
    return nil
  end
  if made < least then return nil end
  local left, kept = redis.call('PTTL', value), tonumber(v[2])
  local fresh = left - kept
  local answer = {'value', v[1], text(fresh), v[2], v[3] or '', v[4], v[5], v[6] or '', v[7], v[8] or '', v[9] or ''}
  if left < 0 then
    answer[3] = ''
    return answer
  end
  if fresh > 0 then return answer end
  answer[1] = 'stale'
  return answer, fresh + tonumber(ARGV[6]) > 0
end
local function ask(value, lease)
  local found, isWanted = valueOf(value)
  if found and found[1] == 'value' then
    if given > 0 and given + #found[10] > tonumber(ARGV[7]) then return {'wait', '0'} end
    given = given + #found[10]
    return found
  end
  if ARGV[1] ~= '' and not redis.call('GET', lease) then
    local token = ARGV[1] .. ':' .. text(count)
    redis.call('SET', lease, token, 'PX', ARGV[2])
    return {'lease', token}
  end
  if isWanted then return found end
  return {'wait', tostring(redis.call('PTTL', lease))}
end
local answers = {'answers'}
for at = 4, #KEYS, 2 do answers[#answers + 1] = ask(KEYS[at], KEYS[at + 1]) end
return answers
`,
  WITHOUT_MEMORY,
);

/** ARGV: lease, life ms ('' for ever), kept ms, metadata, negative, chunks, chunk id, size, bytes, tags, cells. Answers 'stored' or 'refused'. */
export const FILL = script(`
local count, barrier = head()
if redis.call('GET', LEASE) ~= ARGV[1] then return 'refused' end
local made = string.match(ARGV[1], '%d+$')
redis.call('DEL', LEASE)
if tonumber(made) < barrier or isEnded(ARGV[11], tonumber(made)) then return 'refused' end
drop(VALUE)
redis.call('HSET', VALUE, 's', made, 'k', ARGV[3], 'm', ARGV[4], 'n', ARGV[5], 'c', ARGV[6], 'i', ARGV[7], 'z', ARGV[8], 'b', ARGV[9])
if ARGV[11] ~= '' then redis.call('HSET', VALUE, 'g', ARGV[10], 'q', ARGV[11]) end
for at = 0, tonumber(ARGV[6]) - 1 do
  local chunk = CHUNK .. ARGV[7] .. ':' .. at
  if ARGV[2] == '' then redis.call('PERSIST', chunk) else redis.call('PEXPIRE', chunk, ARGV[2] + ARGV[3]) end
end
if ARGV[2] ~= '' then redis.call('PEXPIRE', VALUE, ARGV[2] + ARGV[3]) end
return 'stored'
`);

/** ARGV: lease, and how many ms it is to last from now on; '' gives it back. Answers 1 where it was held. */
export const HOLD = script(
  `
if redis.call('GET', LEASE) ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', LEASE) else redis.call('PEXPIRE', LEASE, ARGV[2]) end
return 1
`,
  WITHOUT_MEMORY,
);

/**
 * ARGV: kind ('key', 'all', 'tags'), the key or the tags, nonce, origin, length of the log, where a value is to follow a token and for how
 * many ms, and the cells of the tags. Answers the count that it has now. A value comes by FILL, under the lease of that token and count: one that arrives late overwrites nothing.
 */
export const TELL = script(
  `
local count = head() + 1
redis.call('HSET', META, 's', text(count))
if ARGV[1] == 'all' then
  redis.call('HSET', META, 'b', text(count))
elseif ARGV[1] == 'tags' then
  for cell in string.gmatch(ARGV[8], '%d+') do redis.call('HSET', META, 't' .. cell, text(count)) end
else
  drop(VALUE)
  if ARGV[6] == '' then redis.call('DEL', LEASE)
  else redis.call('SET', LEASE, ARGV[6] .. ':' .. text(count), 'PX', ARGV[7]) end
end
tell(count, ARGV[3], ARGV[1], ARGV[2], ARGV[4], ARGV[5])
return text(count)
`,
  WITHOUT_MEMORY,
);

/** Takes a value away whose chunks are not whole, if it is still that one. ARGV: chunk id. */
export const MEND = script(
  `
if redis.call('HGET', VALUE, 'i') == ARGV[1] then drop(VALUE) end
return 1
`,
  WITHOUT_MEMORY,
);

/** ARGV: seen, nonce. Answers how the history is (0, 1, 2), the count, and the nonce of its entry. */
export const CHECK = script(
  `
local count = head()
local past = history(count, ARGV[1], ARGV[2])
local entry = redis.call('XRANGE', LOG, text(count) .. '-0', text(count) .. '-0')
if entry[1] then return {tostring(past), text(count), entry[1][2][2]} end
-- The log was taken away: it begins anew.
redis.call('HSET', META, 's', text(count + 1))
tell(count + 1, 'new', 'all', '', '', 100)
return {tostring(past), text(count + 1), 'new'}
`,
  WITHOUT_MEMORY,
);

/** Where seen is of another history: nothing of before is believed from now on, by anybody. ARGV: seen, nonce, nonce of the entry, length. */
export const BAR = script(
  `
local count = head()
if history(count, ARGV[1], ARGV[2]) ~= 2 then return 0 end
count = math.max(count, tonumber(ARGV[1])) + 1
redis.call('HSET', META, 's', text(count), 'b', text(count))
tell(count, ARGV[3], 'all', '', '', ARGV[4])
return 1
`,
  WITHOUT_MEMORY,
);
