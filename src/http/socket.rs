//! Connections on which nothing comes forward any more, found and cut off: a head or the rest of a
//! body that is sent byte by byte, an answer that is never read. The HTTP library watches only the
//! first head of a connection and one that is silent.
//!
//! Knows when a request began and when its answer moved; nothing of what they say.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::web::Bytes;

use crate::sequencer::Stopwatch;

/// How often all connections are looked at.
pub const LOOK_EVERY: Duration = Duration::from_secs(1);

/// A request is being worked on: the delay is ours.
const AT_WORK: u64 = u64::MAX;

/// One connection.
#[derive(Debug)]
pub struct Socket {
    /// The same connection once more, to be shut from outside of the worker that serves it.
    stream: std::net::TcpStream,
    /// When it last came forward, in milliseconds since the server started.
    moved_at: AtomicU64,
    since: Arc<Stopwatch>,
}

impl Socket {
    fn now(&self) -> u64 {
        millis(&self.since)
    }

    /// A whole head has come.
    pub fn begins(&self) {
        self.moved_at.store(AT_WORK, Ordering::Relaxed);
    }

    /// The answer has moved.
    pub fn moves(&self) {
        self.moved_at.store(self.now(), Ordering::Relaxed);
    }
}

fn millis(since: &Stopwatch) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(AT_WORK - 1)
}

/// All connections.
#[derive(Debug)]
pub struct Sockets {
    since: Arc<Stopwatch>,
    open: Mutex<Vec<Weak<Socket>>>,
}

impl Default for Sockets {
    fn default() -> Self {
        Self { since: Arc::new(Stopwatch::start()), open: Mutex::default() }
    }
}

impl Sockets {
    /// Watches a connection from now on.
    pub fn watch(&self, stream: std::net::TcpStream) -> Arc<Socket> {
        let moved_at = AtomicU64::new(millis(&self.since));
        let socket = Arc::new(Socket { stream, moved_at, since: Arc::clone(&self.since) });
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.push(Arc::downgrade(&socket));
        socket
    }

    /// Shuts what has not come forward for so long; forgets what is closed. Answers how many were
    /// shut.
    fn look(&self, now: u64, patience: Duration) -> usize {
        let patience = u64::try_from(patience.as_millis()).unwrap_or(AT_WORK);
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let mut shut = 0;
        open.retain(|socket| {
            let Some(socket) = socket.upgrade() else { return false };
            let moved_at = socket.moved_at.load(Ordering::Relaxed);
            if moved_at == AT_WORK || now < moved_at.saturating_add(patience) {
                return true;
            }
            // The worker finds it closed, as if the client had gone.
            drop(socket.stream.shutdown(std::net::Shutdown::Both));
            shut += 1;
            false
        });
        shut
    }

    /// Looks again and again.
    pub async fn guard(&self, patience: Duration) {
        loop {
            tokio::time::sleep(LOOK_EVERY).await;
            let shut = self.look(millis(&self.since), patience);
            if shut > 0 {
                tracing::info!(shut, "connections that did not come forward were cut off");
            }
        }
    }
}

/// A second handle of a connection, for [`Sockets::watch`].
#[cfg(unix)]
pub fn handle(stream: &tokio::net::TcpStream) -> Option<std::net::TcpStream> {
    use std::os::fd::AsFd;
    // When there are too many files open it goes unwatched.
    stream.as_fd().try_clone_to_owned().ok().map(std::net::TcpStream::from)
}

/// Elsewhere connections are not watched.
#[cfg(not(unix))]
pub fn handle(_: &tokio::net::TcpStream) -> Option<std::net::TcpStream> {
    None
}

/// An answer that comes in pieces: each is a step forward.
struct Stepping {
    body: BoxBody,
    socket: Arc<Socket>,
}

impl MessageBody for Stepping {
    type Error = <BoxBody as MessageBody>::Error;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let piece = Pin::new(&mut self.body).poll_next(context);
        if piece.is_ready() {
            self.socket.moves();
        }
        piece
    }
}

/// The body of an answer on this connection.
pub fn stepping(body: BoxBody, socket: Option<&Arc<Socket>>) -> BoxBody {
    let Some(socket) = socket else { return body };
    socket.moves();
    match body.size() {
        BodySize::None | BodySize::Sized(_) => body,
        BodySize::Stream => BoxBody::new(Stepping { body, socket: Arc::clone(socket) }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::net::{TcpListener, TcpStream};

    const PATIENCE: Duration = Duration::from_secs(10);

    #[test]
    fn what_does_not_come_forward_is_cut_off_and_work_is_waited_for() {
        let sockets = Sockets::default();
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
        let connect = || {
            let client = TcpStream::connect(listener.local_addr().expect("bound")).expect("heard");
            (client, sockets.watch(listener.accept().expect("it came").0))
        };
        let [(mut idle, idles), (working, works), (gone, goes)] = [connect(), connect(), connect()];
        works.begins();
        drop((gone, goes));
        let began = idles.moved_at.load(Ordering::Relaxed);
        assert_eq!(sockets.look(began + 9_999, PATIENCE), 0);
        assert_eq!(sockets.open.lock().expect("sound").len(), 2, "the closed one is forgotten");
        assert_eq!(sockets.look(began + 10_000, PATIENCE), 1);
        assert_eq!(idle.read(&mut [0]).expect("the end"), 0, "it is shut");
        assert_eq!(sockets.look(AT_WORK - 1, PATIENCE), 0, "work of ours takes as long as it does");
        works.moves();
        assert_eq!(sockets.look(AT_WORK - 1, PATIENCE), 1, "its answer was never read");
        drop((working, works, idles));
    }
}
