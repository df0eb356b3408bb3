//! A wire between a server and its PostgreSQL, that can be cut at a moment of the test's choice.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

/// Where the next COMMIT is cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    /// It goes through; its answer does not come back.
    After,
    /// It does not go through.
    Before,
}

/// COMMIT as a simple query: the letter, the length of what follows, the text and a zero.
const COMMIT: &[u8] = b"Q\0\0\0\x0bCOMMIT\0";

#[derive(Debug, Default)]
struct Orders {
    next: Mutex<Option<Cut>>,
    cuts: AtomicUsize,
    wires: Mutex<Vec<TcpStream>>,
}

/// Passes on what comes on a loopback port of its own, as long as the process lives.
#[derive(Debug)]
pub struct Relay {
    pub port: u16,
    orders: Arc<Orders>,
}

impl Relay {
    /// A relay to this port.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
        let here = listener.local_addr().expect("it is bound").port();
        let orders = Arc::new(Orders::default());
        let shared = Arc::clone(&orders);
        std::thread::spawn(move || {
            for near in listener.incoming() {
                let near = near.expect("a connection");
                // PostgreSQL may be away: then the server's connection ends, as it would.
                if let Ok(far) = TcpStream::connect(("127.0.0.1", port)) {
                    connect(near, far, &shared);
                }
            }
        });
        Self { port: here, orders }
    }

    /// Cuts the wire at the next COMMIT. Returns once it is cut.
    pub fn cut(&self, cut: Cut) {
        let before = self.orders.cuts.load(Ordering::Acquire);
        *self.orders.next.lock().expect("nobody panics here") = Some(cut);
        let watch = headroom::sequencer::Stopwatch::start();
        while self.orders.cuts.load(Ordering::Acquire) == before {
            assert!(watch.seconds() < 60.0, "nobody has sent COMMIT for a minute");
            super::stage::pause(1);
        }
    }

    /// Cuts all wires now, whatever is on them.
    pub fn cut_all(&self) {
        for wire in self.orders.wires.lock().expect("nobody panics here").drain(..) {
            // One that has ended is cut already.
            drop(wire.shutdown(Shutdown::Both));
        }
    }
}

fn connect(near: TcpStream, far: TcpStream, orders: &Arc<Orders>) {
    let twin = |wire: &TcpStream| wire.try_clone().expect("a second handle");
    // Small messages are not kept back.
    near.set_nodelay(true).expect("a wire");
    far.set_nodelay(true).expect("a wire");
    orders.wires.lock().expect("nobody panics here").extend([twin(&near), twin(&far)]);
    let is_cut = Arc::new(AtomicBool::new(false));
    let (answers, asker, silent) = (twin(&far), twin(&near), Arc::clone(&is_cut));
    std::thread::spawn(move || pass_back(answers, asker, &silent));
    let orders = Arc::clone(orders);
    std::thread::spawn(move || pass_on(near, far, &is_cut, &orders));
}

fn pass_on(mut near: TcpStream, mut far: TcpStream, is_cut: &AtomicBool, orders: &Orders) {
    let mut bytes = vec![0; 65_536];
    while let Ok(count @ 1..) = near.read(&mut bytes) {
        let bytes = &bytes[..count];
        let place = bytes.windows(COMMIT.len()).position(|part| part == COMMIT);
        let cut = place.and_then(|_| orders.next.lock().expect("nobody panics here").take());
        match (cut, place) {
            (None, _) | (_, None) => {
                if far.write_all(bytes).is_err() {
                    break;
                }
            }
            (Some(cut), Some(place)) => {
                is_cut.store(true, Ordering::Release);
                let end = if cut == Cut::After { place + COMMIT.len() } else { place };
                far.write_all(&bytes[..end]).expect("PostgreSQL is there");
                // The server finds the wire cut; PostgreSQL reads what is on it, and its end.
                near.shutdown(Shutdown::Both).expect("a wire");
                orders.cuts.fetch_add(1, Ordering::AcqRel);
                break;
            }
        }
    }
    drop(far.shutdown(Shutdown::Write));
}

/// Reads to the end also what is no longer passed on: closed with something unread, the wire would
/// take back what was sent.
fn pass_back(mut far: TcpStream, mut near: TcpStream, is_cut: &AtomicBool) {
    let mut bytes = vec![0; 65_536];
    while let Ok(count @ 1..) = far.read(&mut bytes) {
        if !is_cut.load(Ordering::Acquire) && near.write_all(&bytes[..count]).is_err() {
            break;
        }
    }
    drop(near.shutdown(Shutdown::Both));
}
