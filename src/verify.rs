//! `headroom verify`: whether what is on disk is whole. Looks at the rows, at the audit chain, and
//! at the engine that can be built from them. Reads only; may look beside a running server.

use std::fmt;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::engine::{Engine, Settings};
use crate::store::{self, Loaded, read::Reader};

/// What was looked at, and what was found broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Report {
    /// The last commit that was there.
    pub commit: u64,
    /// The digest of the engine that the database describes; empty when there is none.
    pub digest: String,
    checks: Vec<Check>,
}

/// One thing that was looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Check {
    what: &'static str,
    /// A sentence for each thing that is broken.
    broken: Vec<String>,
}

impl Report {
    /// Whether nothing is broken.
    pub fn is_sound(&self) -> bool {
        self.checks.iter().all(|check| check.broken.is_empty())
    }
}

/// For a person: what was looked at, and every fault found.
impl fmt::Display for Report {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(out, "commit {}", self.commit)?;
        for Check { what, broken } in &self.checks {
            if broken.is_empty() {
                writeln!(out, "  ok      {what}")?;
            } else {
                writeln!(out, "  BROKEN  {what}")?;
            }
            for sentence in broken {
                writeln!(out, "            {sentence}")?;
            }
        }
        if !self.digest.is_empty() {
            writeln!(out, "  digest  {}", self.digest)?;
        }
        let verdict = if self.is_sound() { "everything holds" } else { "THIS DATABASE IS BROKEN" };
        writeln!(out, "{verdict}")
    }
}

/// Looks at everything.
///
/// # Errors
/// When the database cannot be read.
pub fn verify(reader: &Reader, settings: &Settings) -> Result<Report, store::Fault> {
    let rows = Check { what: "rows and the audit chain", broken: store::check(reader)? };
    let Loaded { snapshot, number, hash: _ } = reader.load()?;

    // A snapshot that makes no sense stops the building of an engine by an assertion, or the look
    // at it. Here that is a finding, not a fault of ours.
    let look = || {
        let again = || Engine::restore(settings.clone(), snapshot.clone());
        let (engine, twin) = (again(), again());
        let is_same = engine.snapshot() == snapshot;
        (engine.audit(), is_same, engine.digest(), twin.digest())
    };
    let looked = catch_unwind(AssertUnwindSafe(look));
    let Ok((broken, is_same, digest, twin)) = looked else {
        let what = "an engine can be built from the rows and looked at";
        let broken = vec!["no: the assertion that stopped it is above".to_owned()];
        let checks = vec![rows, Check { what, broken }];
        return Ok(Report { commit: number, digest: String::new(), checks });
    };
    let checks = vec![
        rows,
        Check { what: "every invariant of the engine", broken },
        same("the engine says of itself what the rows say", is_same),
        same("building it twice gives the same digest", twin == digest),
    ];
    Ok(Report { commit: number, digest, checks })
}

fn same(what: &'static str, holds: bool) -> Check {
    Check { what, broken: if holds { Vec::new() } else { vec!["they differ".to_owned()] } }
}
