//! A slower disk: each fsync of a program takes so much longer. The kernel stops the program at the
//! end of the call and strace lets it go on when the time is over; other calls are not touched
//! (`--seccomp-bpf`), and whoever does not sync is not slowed.

use std::fmt;
use std::io::ErrorKind;
use std::path::Path;
use std::process::Command;

use super::Trouble;

/// How much longer an fsync takes.
#[derive(Debug, Clone, Copy)]
pub struct Delay {
    micros: u32,
}

const STRACE: &str = "strace";
const MISSING: &str = "--fsync-delay-us needs strace, which is not installed here (Debian and \
                       Ubuntu: apt-get install strace)";

impl Delay {
    /// So many microseconds; 0 only watches.
    ///
    /// # Errors
    /// When strace is not there or may not trace.
    pub fn of(micros: u32) -> Result<Self, Trouble> {
        let delay = Self { micros };
        let mut trial = Command::new(STRACE);
        trial.args(delay.words()).arg("true");
        let said = match trial.output() {
            Ok(output) if output.status.success() => return Ok(delay),
            Ok(output) => String::from_utf8_lossy(&output.stderr).trim().to_owned(),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                return Err(Trouble::Said(MISSING.to_owned()));
            }
            Err(error) => error.to_string(),
        };
        Err(Trouble::Said(format!("--fsync-delay-us: strace cannot trace here: {said}")))
    }

    fn words(self) -> Vec<String> {
        let words = "-f -qqq --seccomp-bpf -o /dev/null -e trace=fsync,fdatasync";
        let mut words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        if self.micros > 0 {
            let inject = format!("inject=fsync,fdatasync:delay_exit={}", self.micros);
            words.extend(["-e".to_owned(), inject]);
        }
        words
    }

    /// A command for `program`, which keeps the process id (`-D`): who starts it can end it.
    pub fn command(self, program: &Path) -> Command {
        let mut command = Command::new(STRACE);
        command.arg("-D").args(self.words()).arg(program);
        command
    }

    /// The same as a script that hands its arguments on.
    pub fn script(self, program: &Path) -> String {
        let words = self.words().join(" ");
        format!("#!/bin/sh\nexec {STRACE} -D {words} '{}' \"$@\"\n", program.display())
    }

    /// What a reader must know of it.
    pub fn remark(self) -> String {
        format!(
            "{self}: put there by strace (inject=fsync,fdatasync:delay_exit, with --seccomp-bpf) \
             in PostgreSQL's processes, and in our server where it is on SQLite."
        )
    }
}

impl fmt::Display for Delay {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(out, "{} us more for each fsync", self.micros)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_is_started_with_slower_fsyncs_and_its_own_arguments() {
        let delay = Delay { micros: 1_000 };
        assert_eq!(
            delay.script("/usr/bin/postgres".as_ref()),
            "#!/bin/sh\nexec strace -D -f -qqq --seccomp-bpf -o /dev/null \
             -e trace=fsync,fdatasync -e inject=fsync,fdatasync:delay_exit=1000 \
             '/usr/bin/postgres' \"$@\"\n"
        );
        let watched = Delay { micros: 0 }.script("postgres".as_ref());
        assert!(watched.contains("trace=") && !watched.contains("inject="), "{watched}");
    }
}
