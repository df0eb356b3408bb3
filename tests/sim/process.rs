//! A server's process as the simulation sees it: a desk, a crank, and those who wait for an answer.

use std::future::Future;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use headroom::engine::{Answer, Refusal};
use headroom::model::Micros;
use headroom::sequencer::{Crank, Desk, Done, Fault, Written};
use uuid::Uuid;

use crate::disk::PowerCut;

/// Writes an answer so that two different ones differ in bytes.
pub fn scribe(outcome: &Result<Answer, Refusal>, request: Uuid, at: Micros) -> Written {
    let status = if outcome.is_ok() { 201 } else { 409 };
    let body = format!("{request} {at} {outcome:?}").into_bytes();
    Written { status, headers: String::new(), body }
}

/// Turns until there is an answer.
pub fn answered<T>(crank: &mut Crank, question: impl Future<Output = T> + 'static) -> T {
    let mut question: Pin<Box<dyn Future<Output = T>>> = Box::pin(question);
    loop {
        if let Poll::Ready(answer) = poll(&mut question) {
            return answer;
        }
        crank.write();
        crank.commit();
        crank.settle();
    }
}

/// Looks whether there is an answer.
pub fn poll<T>(future: &mut Pin<Box<dyn Future<Output = T>>>) -> Poll<T> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// Whether the process dies of this turn. An assertion that fails is no death but a finding.
pub fn dies(turn: impl FnOnce()) -> bool {
    match catch_unwind(AssertUnwindSafe(turn)) {
        Ok(()) => false,
        Err(payload) if payload.is::<PowerCut>() => true,
        Err(payload) => resume_unwind(payload),
    }
}

/// What came.
#[expect(clippy::large_enum_variant, reason = "nearly all of them are the large one")]
pub enum Reply {
    Done(Result<Done, Fault>),
    Moved(Result<Micros, Fault>),
}

/// What somebody waits for.
pub enum Hope {
    Attempt(Uuid),
    /// A key was used again, for other content.
    Reuse,
    /// The simulated clock is to move.
    Move(Micros),
    /// One of many that only fill the inbox.
    Crowding,
}

/// Somebody waits for an answer.
pub struct Flight {
    pub hope: Hope,
    pub answer: Pin<Box<dyn Future<Output = Reply>>>,
}

/// A server: it dies by being dropped.
pub struct Process {
    pub desk: Desk,
    pub crank: Crank,
    pub flights: Vec<Flight>,
    /// How often the disk had been loaded when this was looked at last.
    pub loads: u64,
}
