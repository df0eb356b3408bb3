//! The load generator: HTTP/1.1 with keep-alive over plain sockets, one request at a time on each
//! connection, on one thread. Lean on purpose: it shares the machine with what it measures. A
//! request costs it 10 us, three quarters of them in the kernel.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use super::Trouble;
use super::watch::{Spread, Watch, count_of, float};

/// A header or a body beyond this is not an answer to what we ask.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Stands among the statuses for what was to be sent and was not, because the server did not keep
/// up.
const UNSENT: u16 = 0;

/// What came of a load.
#[derive(Debug)]
pub struct Load {
    pub connections: u16,
    /// Requests a second that were sent on time, whether answers came or not. `None`: each
    /// connection asks as soon as it is answered.
    pub offered: Option<f64>,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Answers with 201 that say that the order is filled.
    pub filled: u64,
    pub seconds: f64,
    pub spread: Spread,
}

impl Load {
    fn new(connections: u16) -> Self {
        let (statuses, spread) = (BTreeMap::new(), Spread::new());
        Self { connections, offered: None, statuses, filled: 0, seconds: 0.0, spread }
    }

    /// Filled reservations in a second: nothing else counts.
    pub fn rate(&self) -> f64 {
        float(self.filled) / self.seconds
    }

    /// Answers that were not a filled reservation.
    pub fn other(&self) -> u64 {
        self.statuses.values().sum::<u64>() - self.filled
    }

    /// Statuses other than 201, with their counts.
    pub fn failures(&self) -> String {
        let failures = self.statuses.iter().filter(|(status, _)| **status != 201);
        failures.map(|(status, count)| format!("{count} x {status}")).collect::<Vec<_>>().join(", ")
    }
}

/// Requests that wait to be sent, and whether time is over.
struct Supply {
    requests: RefCell<std::vec::IntoIter<Vec<u8>>>,
    over: Cell<bool>,
    /// Since when, and at what distances, they are to be sent; else as soon as somebody is free.
    beat: Option<(Watch, Duration)>,
    sent: Cell<u32>,
}

impl Supply {
    fn new(requests: Vec<Vec<u8>>, every: Option<Duration>) -> Self {
        let beat = every.map(|every| (Watch::start(), every));
        let requests = RefCell::new(requests.into_iter());
        Self { requests, over: Cell::new(false), beat, sent: Cell::new(0) }
    }

    /// The next request, once it is due, with a watch that runs since then.
    async fn next(&self) -> Option<(Vec<u8>, Watch)> {
        if self.over.get() {
            return None;
        }
        let request = self.requests.borrow_mut().next()?;
        let Some((start, every)) = self.beat else { return Some((request, Watch::start())) };
        let due = every * self.sent.replace(self.sent.get() + 1);
        // The timer is one of milliseconds: what is sent late by it counts as waited for.
        tokio::time::sleep(due.saturating_sub(start.elapsed())).await;
        Some((request, start.after(due)))
    }
}

/// Sends these requests over so many connections until they are used up or the time is.
///
/// # Errors
/// When a connection fails or an answer cannot be read: a server under test must do neither.
pub fn run(
    port: u16,
    connections: u16,
    seconds: u64,
    requests: Vec<Vec<u8>>,
) -> Result<Load, Trouble> {
    drive(port, connections, seconds, Supply::new(requests, None))
}

/// Sends so many requests a second, at even distances, for so many seconds, whether answers come or
/// not. Times run from when a request was to be sent. Where all connections wait for answers it is
/// sent late.
///
/// # Errors
/// As [`run`].
pub fn pour(
    port: u16,
    connections: u16,
    rate: f64,
    seconds: u64,
    requests: impl FnOnce(usize) -> Vec<Vec<u8>>,
) -> Result<Load, Trouble> {
    let rate = rate.max(1.0);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "a positive rate that was measured, for a minute at most"
    )]
    let count = (rate * float(seconds)) as usize;
    let supply = Supply::new(requests(count), Some(Duration::from_secs_f64(rate.recip())));
    // A server that does not keep up is cut off in the end.
    let mut load = drive(port, connections, seconds * 3, supply)?;
    load.offered = Some(rate);
    Ok(load)
}

/// Sends what there is, for so many seconds at most.
fn drive(port: u16, connections: u16, seconds: u64, mut supply: Supply) -> Result<Load, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let local = LocalSet::new();
    let mut whole = Load::new(connections);
    local.block_on(&runtime, async {
        let mut streams = Vec::new();
        for _ in 0..connections {
            let stream = TcpStream::connect(("127.0.0.1", port)).await?;
            stream.set_nodelay(true)?;
            streams.push(stream);
        }
        let watch = Watch::start();
        supply.beat = supply.beat.map(|(_, every)| (watch, every));
        let supply = Rc::new(supply);
        let calls: Vec<_> = streams
            .into_iter()
            .map(|stream| tokio::task::spawn_local(converse(stream, Rc::clone(&supply))))
            .collect();
        let alarm = Rc::clone(&supply);
        let alarm = tokio::task::spawn_local(async move {
            tokio::time::sleep(Duration::from_secs(seconds)).await;
            alarm.over.set(true);
        });
        for call in calls {
            let one = call.await.map_err(io::Error::other)??;
            whole.filled += one.filled;
            whole.spread.add(&one.spread);
            for (status, count) in one.statuses {
                *whole.statuses.entry(status).or_default() += count;
            }
        }
        whole.seconds = watch.seconds();
        alarm.abort();
        let unsent = supply.requests.borrow().len();
        if supply.beat.is_some() && unsent > 0 {
            whole.statuses.insert(UNSENT, count_of(unsent));
        }
        Ok::<(), io::Error>(())
    })?;
    Ok(whole)
}

/// Asks at a steady pace over one connection: one request in each `every`, however long answers
/// take, until they are used up.
///
/// # Errors
/// As [`run`].
pub fn stroll(port: u16, every: Duration, requests: Vec<Vec<u8>>) -> Result<Load, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let mut own = Load::new(1);
    runtime.block_on(async {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        let mut buffer = Vec::with_capacity(16 * 1_024);
        let mut beat = tokio::time::interval(every);
        let whole = Watch::start();
        for request in requests {
            beat.tick().await;
            let mut watch = Watch::start();
            stream.write_all(&request).await?;
            let answer = read_answer(&mut stream, &mut buffer).await?;
            own.spread.note(watch.lap());
            *own.statuses.entry(answer.status).or_default() += 1;
            own.filled += u64::from(answer.is_filled);
        }
        own.seconds = whole.seconds();
        Ok::<(), io::Error>(())
    })?;
    Ok(own)
}

/// One connection's part.
async fn converse(mut stream: TcpStream, supply: Rc<Supply>) -> io::Result<Load> {
    let mut own = Load::new(1);
    let mut buffer = Vec::with_capacity(16 * 1_024);
    while let Some((request, mut watch)) = supply.next().await {
        stream.write_all(&request).await?;
        let answer = read_answer(&mut stream, &mut buffer).await?;
        own.spread.note(watch.lap());
        *own.statuses.entry(answer.status).or_default() += 1;
        own.filled += u64::from(answer.is_filled);
    }
    Ok(own)
}

/// What we need to know of an answer.
#[derive(Debug, PartialEq, Eq)]
struct Answer {
    status: u16,
    is_filled: bool,
}

async fn read_answer(stream: &mut TcpStream, buffer: &mut Vec<u8>) -> io::Result<Answer> {
    buffer.clear();
    loop {
        if let Some((answer, length)) = parse(buffer)? {
            // One request at a time: nothing can follow its answer.
            return if buffer.len() == length { Ok(answer) } else { Err(unreadable()) };
        }
        if buffer.len() > ANSWER_BYTES_MAX {
            return Err(unreadable());
        }
        if stream.read_buf(buffer).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
    }
}

fn unreadable() -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, "an answer that this load generator cannot read")
}

/// The answer in the buffer and its length, once it is all there.
fn parse(buffer: &[u8]) -> io::Result<Option<(Answer, usize)>> {
    let status = buffer.get(9..12).map(|digits| std::str::from_utf8(digits).unwrap_or(""));
    let Some(status) = status else { return Ok(None) };
    let status = status.parse().map_err(|_| unreadable())?;
    let (mut length, mut at) = (None, 0);
    // One look at each byte of the head.
    while let Some(line) = buffer[at..].split_inclusive(|byte| *byte == b'\n').next() {
        if !line.ends_with(b"\n") {
            return Ok(None);
        }
        at += line.len();
        if line == b"\r\n" {
            let length = length.ok_or_else(unreadable)?;
            let Some(body) = buffer.get(at..at + length) else { return Ok(None) };
            let is_filled = status == 201 && find(body, br#""state":"filled""#);
            return Ok(Some((Answer { status, is_filled }, at + length)));
        }
        if let Some((name, value)) = line.split_at_checked(LENGTH.len())
            && name.eq_ignore_ascii_case(LENGTH)
        {
            let value = std::str::from_utf8(value).unwrap_or("").trim().parse::<usize>();
            length = value.ok().filter(|length| *length <= ANSWER_BYTES_MAX);
        }
    }
    Ok(None)
}

const LENGTH: &[u8] = b"content-length:";

fn find(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_read_once_it_is_all_there() {
        let text = b"HTTP/1.1 201 Created\r\nContent-Length: 18\r\n\r\n{\"state\":\"filled\"}";
        for end in 0..text.len() {
            assert_eq!(parse(&text[..end]).unwrap(), None, "after {end} bytes");
        }
        let answer = Answer { status: 201, is_filled: true };
        assert_eq!(parse(text).unwrap(), Some((answer, text.len())));
    }

    #[test]
    fn only_a_created_and_filled_order_counts() {
        for (text, status) in [
            ("HTTP/1.1 201 Created\r\ncontent-length: 19\r\n\r\n{\"state\":\"expired\"}", 201),
            ("HTTP/1.1 503 Busy\r\ncontent-length: 18\r\n\r\n{\"state\":\"filled\"}", 503),
            ("HTTP/1.1 402 No\r\ncontent-length: 0\r\n\r\n", 402),
        ] {
            let (answer, _) = parse(text.as_bytes()).unwrap().expect("a whole answer");
            assert_eq!(answer, Answer { status, is_filled: false });
        }
        assert!(parse(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n").is_err());
    }
}
