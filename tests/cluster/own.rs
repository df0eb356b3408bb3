//! A PostgreSQL server of one test's own, that can be stopped, started and copied. As the shared
//! one, it ends and its folder goes when the test's process ends.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use super::{User, free_port, other_user, programs, run_as};

/// What ends the server when this process lets go of the rope.
const GUARD: &str = r#"
cat > /dev/null
"$1/pg_ctl" -D "$2/data" -m immediate stop > /dev/null 2>&1
rm -rf "$2"
"#;

/// A server of one's own.
#[derive(Debug)]
pub struct Own {
    programs: PathBuf,
    user: User,
    folder: PathBuf,
    port: u16,
    /// What it is started with, beyond where it is.
    settings: String,
    _guard: Child,
}

impl Own {
    /// A fresh server, running; `None` where PostgreSQL is not installed.
    pub fn fresh() -> Option<Self> {
        // The same words about a missing installation as of the shared one.
        super::shared()?;
        let own = Self::in_a_folder("");
        let let_in = [OsStr::new("--auth=trust")];
        super::make_data(own.user, &own.programs, &own.folder, &let_in);
        own.start();
        Some(own)
    }

    /// A running copy that follows this one, and of which this one waits for every commit.
    pub fn replica(&self) -> Self {
        let copy = Self::in_a_folder("-c synchronous_standby_names=");
        let made = copy
            .program("pg_basebackup")
            .args(["-U", "headroom", "-R", "-X", "stream", "-c", "fast", "-h"])
            .arg(&self.folder)
            .args(["-p", &self.port.to_string(), "-D"])
            .arg(copy.data())
            .output()
            .expect("pg_basebackup starts");
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
        copy.start();
        let postgres = self.url("postgres");
        super::execute(&postgres, "ALTER SYSTEM SET synchronous_standby_names = '*'");
        super::execute(&postgres, "SELECT pg_reload_conf()");
        let ask = "SELECT count(*) FROM pg_stat_replication WHERE sync_state = 'sync'";
        for _ in 0..600 {
            if super::try_execute(&postgres, ask) == Ok(vec!["1".to_owned()]) {
                return copy;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        panic!("the copy does not follow");
    }

    fn in_a_folder(settings: &str) -> Self {
        // Where some are linked from, all are.
        let initdb = programs().expect("the shared one found them").join("initdb");
        let initdb = fs::canonicalize(initdb).expect("it is there");
        let programs = initdb.parent().expect("a file is in a folder").to_owned();
        let user = other_user();
        let folder = super::folder_of(user, "headroom-own-");
        let words = [programs.as_os_str(), folder.as_os_str()];
        let guard = super::guard(user, &folder, GUARD, &words);
        let settings = settings.to_owned();
        Self { programs, user, folder, port: free_port(), settings, _guard: guard }
    }

    fn program(&self, name: &str) -> Command {
        let mut command = run_as(self.user, &self.programs.join(name));
        command.current_dir(&self.folder).stdin(Stdio::null());
        command
    }

    /// A program, run as whoever runs the server.
    pub fn user_runs(&self, program: &str) -> Command {
        run_as(self.user, Path::new(program))
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    fn control(&self, words: &[&str]) {
        let done = self
            .program("pg_ctl")
            .arg("-D")
            .arg(self.data())
            .args(words)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status()
            .expect("pg_ctl starts");
        let log = || fs::read_to_string(self.folder.join("log")).unwrap_or_default();
        assert!(done.success(), "pg_ctl {words:?}\n{}", log());
    }

    /// Returns once it takes connections.
    pub fn start(&self) {
        let folder = self.folder.to_str().expect("plain letters");
        let options = format!(
            "-k {folder} -p {} -c listen_addresses=127.0.0.1 -c fsync=on {}",
            self.port, self.settings
        );
        self.control(&["-w", "-l", &format!("{folder}/log"), "-o", &options, "start"]);
    }

    /// As a power cut would: no session ends in good order, nothing is written that was not.
    pub fn stop_at_once(&self) {
        self.control(&["-w", "-m", "immediate", "stop"]);
    }

    /// A copy becomes a server that may be written to.
    pub fn promote(&self) {
        self.control(&["-w", "promote"]);
    }

    /// Where it listens on loopback.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The address of a database, through TCP.
    pub fn url(&self, database: &str) -> String {
        format!("postgres://headroom@127.0.0.1:{}/{database}", self.port)
    }

    /// A fresh database; the address of it.
    pub fn database(&self, name: &str) -> String {
        super::execute(&self.url("postgres"), &format!("CREATE DATABASE {name}"));
        self.url(name)
    }
}
