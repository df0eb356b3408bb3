//! How far something is: a bar on a terminal, a line now and then otherwise. Talk goes to
//! standard error.

use std::io::{IsTerminal, stderr};

use indicatif::{ProgressBar, ProgressStyle};

/// Lines that are written where there is no terminal.
const LINES: usize = 5;

/// See the module.
#[derive(Debug)]
pub struct Progress {
    bar: Option<ProgressBar>,
    /// What is done, to what.
    doing: &'static str,
    things: &'static str,
    total: usize,
    /// Lines written so far.
    told: usize,
}

impl Progress {
    pub fn new(doing: &'static str, things: &'static str, total: usize) -> Self {
        let bar = stderr().is_terminal().then(|| {
            let looks = format!(
                "{doing} {{bar:40}} {{human_pos}}/{{human_len}} {things}, {{per_sec}}, {{eta}} left"
            );
            let style = ProgressStyle::with_template(&looks).expect("the template is a constant");
            let length = u64::try_from(total).unwrap_or(u64::MAX);
            ProgressBar::new(length).with_style(style)
        });
        Self { bar, doing, things, total, told: 0 }
    }

    /// `done` of the total are through.
    pub fn reach(&mut self, done: usize) {
        if let Some(bar) = &self.bar {
            bar.set_position(u64::try_from(done).unwrap_or(u64::MAX));
            return;
        }
        let due = (done * LINES).checked_div(self.total).unwrap_or(LINES);
        if due > self.told {
            self.told = due;
            eprintln!("{}: {done} of {} {}", self.doing, self.total, self.things);
        }
    }

    pub fn end(self) {
        if let Some(bar) = self.bar {
            bar.finish_and_clear();
        }
    }
}
