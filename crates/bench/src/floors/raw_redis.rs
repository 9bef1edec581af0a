//! The floor on Redis: what the server does with plain keys and a list when one connection drives it and nothing else
//! happens: no order but that of arrival, no priorities, no counts, no errors. As in the measurement that chose the
//! shape: bodies and results are plain strings, leases one sorted set, fencing tokens one hash, which are compared.

use std::ops::Range;
use std::time::{Duration, Instant};

use redis::aio::MultiplexedConnection;
use redis::{Client, Pipeline, Script};
use windlass_testkit::servers::RedisServer;

use crate::Fault;
use crate::floors::Raw;
use crate::mail::Mail;
use crate::rig::REDIS_DURABILITY;

/// Jobs settled and claimed per round trip when a backlog is worked off: an answer of more than 64 KiB goes out in pieces.
pub(crate) const WORK_BATCH: u64 = 250;

const SETTLE: &str = "
    local held, over = redis.call('HMGET', 'token', unpack(ARGV, 2)), {}
    for place = 2, #ARGV do
        if held[place - 1] == '1' then
            redis.call('SET', 'result' .. ARGV[place], ARGV[1], 'EX', 86400)
            over[#over + 1] = ARGV[place]
        end
    end
    redis.call('ZREM', 'lease', unpack(over))
    redis.call('HDEL', 'token', unpack(over))
    return #over";
const CLAIM: &str = "
    local ids = redis.call('LPOP', 'ready', ARGV[1])
    if not ids then
        return {}
    end
    local keys, leases, tokens = {}, {}, {}
    for place, id in ipairs(ids) do
        keys[place] = 'job' .. id
        leases[2 * place - 1], leases[2 * place] = ARGV[2], id
        tokens[2 * place - 1], tokens[2 * place] = id, 1
    end
    redis.call('ZADD', 'lease', unpack(leases))
    redis.call('HSET', 'token', unpack(tokens))
    return { ids, redis.call('MGET', unpack(keys)) }";

const RESULT: [u8; 38] = [b'r'; 38];

/// One connection to a server of its own.
pub(crate) struct RawRedis {
    connection: MultiplexedConnection,
    settle: Script,
    claim: Script,
    _server: RedisServer,
}

impl RawRedis {
    /// A fresh server.
    pub(crate) async fn start() -> Result<Self, Fault> {
        let server = RedisServer::start_with(&REDIS_DURABILITY)?;
        let mut connection = Client::open(server.url())?.get_multiplexed_async_connection().await?;
        connection.set_response_timeout(Duration::from_secs(10));
        Ok(Self { connection, settle: Script::new(SETTLE), claim: Script::new(CLAIM), _server: server })
    }

    /// Inserts jobs `from` to `to` - 1, `batch` per round trip: how long each took.
    pub(crate) async fn insert(&self, from: u64, to: u64, batch: u64) -> Result<Vec<Duration>, Fault> {
        let mut took = Vec::new();
        for start in (from..to).step_by(usize::try_from(batch)?) {
            let pipeline = insertion(start..to.min(start + batch))?;
            let began = Instant::now();
            pipeline.exec_async(&mut self.connection.clone()).await?;
            took.push(began.elapsed());
        }
        Ok(took)
    }

    async fn claim(&self, batch: u64) -> Result<Vec<u64>, Fault> {
        let mut connection = self.connection.clone();
        let mut claim = self.claim.prepare_invoke();
        claim.arg(batch).arg(i64::MAX / 2);
        let answer: Option<(Vec<u64>, Vec<Vec<u8>>)> = match claim.invoke_async(&mut connection).await? {
            redis::Value::Array(parts) if parts.is_empty() => None,
            answer => Some(redis::from_redis_value(answer)?),
        };
        let (ids, payloads) = answer.unwrap_or_default();
        for payload in payloads {
            std::hint::black_box(serde_json::from_slice::<Mail>(&payload)?);
        }
        Ok(ids)
    }
}

impl Raw for RawRedis {
    type Number = u64;

    /// In one go.
    async fn turn(&self, settled: &[u64], new: Range<u64>, batch: u64) -> Result<Vec<u64>, Fault> {
        let (mut settling, mut inserting) = (self.connection.clone(), self.connection.clone());
        let settle = async {
            if settled.is_empty() {
                return Ok(());
            }
            let mut settle = self.settle.prepare_invoke();
            settle.arg(RESULT.as_slice()).arg(settled);
            settle.invoke_async::<()>(&mut settling).await
        };
        let pipeline = insertion(new.clone())?;
        let insert = async { if new.is_empty() { Ok(()) } else { pipeline.exec_async(&mut inserting).await } };
        let (settled, inserted, next) = tokio::join!(settle, insert, self.claim(batch));
        settled?;
        inserted?;
        next
    }
}

fn insertion(numbers: Range<u64>) -> Result<Pipeline, Fault> {
    let (mut pipeline, mut ready) = (redis::pipe(), redis::cmd("RPUSH"));
    ready.arg("ready");
    for number in numbers {
        let payload = serde_json::to_vec(&Mail::numbered(number))?;
        pipeline.cmd("SET").arg(format!("job{number}")).arg(payload).ignore();
        ready.arg(number);
    }
    pipeline.add_command(ready).ignore();
    Ok(pipeline)
}
