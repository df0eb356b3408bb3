//! The load generator: HTTP/1.1 with keep-alive over plain sockets, one request at a time on each
//! connection, on one thread. Lean on purpose: it shares the machine with what it measures.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::io;
use std::rc::Rc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::task::LocalSet;

use super::Trouble;
use super::watch::{Spread, Watch, float};

/// A header or a body beyond this is not an answer to what we ask.
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// What came of a load.
#[derive(Debug)]
pub struct Load {
    pub connections: usize,
    /// Answers by status.
    pub statuses: BTreeMap<u16, u64>,
    /// Answers with 201 that say that the order is filled.
    pub filled: u64,
    pub seconds: f64,
    pub spread: Spread,
}

impl Load {
    fn new(connections: usize) -> Self {
        let (statuses, spread) = (BTreeMap::new(), Spread::new());
        Self { connections, statuses, filled: 0, seconds: 0.0, spread }
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
}

/// Sends these requests over so many connections until they are used up or the time is.
///
/// # Errors
/// When a connection fails or an answer cannot be read: a server under test must do neither.
pub fn run(
    port: u16,
    connections: usize,
    seconds: u64,
    requests: Vec<Vec<u8>>,
) -> Result<Load, Trouble> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let supply = RefCell::new(requests.into_iter());
    let supply = Rc::new(Supply { requests: supply, over: Cell::new(false) });
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
    while !supply.over.get() {
        let Some(request) = supply.requests.borrow_mut().next() else { break };
        let mut watch = Watch::start();
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
    let Some(end) = find(buffer, b"\r\n\r\n") else { return Ok(None) };
    let head = std::str::from_utf8(&buffer[..end]).map_err(|_| unreadable())?;
    let status = head.get(9..12).and_then(|status| status.parse().ok()).ok_or_else(unreadable)?;
    let mut length = None;
    for line in head.lines().skip(1) {
        if let Some((name, value)) = line.split_once(':')
            && name.eq_ignore_ascii_case("content-length")
        {
            length = value.trim().parse::<usize>().ok();
        }
    }
    let length = length.filter(|length| *length <= ANSWER_BYTES_MAX).ok_or_else(unreadable)?;
    let whole = end + 4 + length;
    let Some(body) = buffer.get(end + 4..whole) else { return Ok(None) };
    let is_filled = status == 201 && find(body, br#""state":"filled""#).is_some();
    Ok(Some((Answer { status, is_filled }, whole)))
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len()).position(|window| window == part)
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
